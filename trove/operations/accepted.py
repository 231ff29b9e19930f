# SPDX-License-Identifier: Apache-2.0
"""What was accepted, as those see it who end it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Accepted:
    """A workflow, as far as its end is concerned.

    :ivar kind: name of its kind, see :data:`trove.domain.operations.KINDS`.
    :ivar resource_id: id of the instance that it is about.
    """

    kind: str
    resource_id: str
    inputs: Mapping[str, Any]

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Accepted":
        """Return the workflow of a row."""
        return cls(row["kind"], row["resource_id"], row["inputs"])
