# SPDX-License-Identifier: Apache-2.0
"""Which parameters of an engine no configuration group may set. Pure; both halves of a datastore use it.

Protected is what the service depends on (addresses, directories, logs, accounts), what could run code or reach files
outside the instance's data, and what would break the data. An engine lists names and beginnings of names as data.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Protection:
    """``names`` and ``prefixes`` in lower case with ``_`` for ``-``: engines tell neither apart."""

    names: Collection[str]
    prefixes: tuple[str, ...] = ()

    def covers(self, name: str) -> bool:
        """Tell whether the parameter ``name``, however it is spelt, is protected."""
        folded = name.lower().replace("-", "_")
        return folded in self.names or folded.startswith(self.prefixes)
