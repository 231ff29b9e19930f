# SPDX-License-Identifier: Apache-2.0
"""An operator's correction of what a datastore plugin says of one parameter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A parameter added, changed or (``hidden``) taken away.

    :ivar type: one of :data:`TYPES`.
    """

    name: str
    type: str
    restart: bool
    min: int | float | None = None
    max: int | float | None = None
    hidden: bool = False


#: The types that a rule may have.
TYPES = ("integer", "float", "boolean", "string")
