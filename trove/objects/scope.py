# SPDX-License-Identifier: Apache-2.0
"""Whose rows a caller may see.

Every getter of what belongs to a project takes a scope as a positional argument without a default, so that nobody can
forget it: an unscoped query has to be asked for by name.

>>> Scope.project("p1")
Scope(project_id='p1')
>>> Scope.ALL.project_id is None
True
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa

S = TypeVar("S", bound=sa.Select[Any])


@dataclass(frozen=True, slots=True)
class Scope:
    """One project, or everything; made with :meth:`project` or taken from :data:`ALL`."""

    project_id: str | None

    #: Every project's rows; for administrators and the service's own work.
    ALL: ClassVar["Scope"]

    @classmethod
    def project(cls, project_id: str) -> "Scope":
        """Return the scope of one project.

        :raises ValueError: for an empty or missing id, which would otherwise mean "everything".
        """
        if not project_id:
            raise ValueError("a project scope needs a project id")
        return cls(project_id)

    def filter(self, select: S, column: Any) -> S:
        """Return ``select`` restricted to this scope; ``column`` holds the project id."""
        return select if self.project_id is None else select.where(column == self.project_id)

    def admits(self, project_id: str) -> bool:
        """Tell whether what belongs to ``project_id`` is visible."""
        return self.project_id is None or self.project_id == project_id


Scope.ALL = Scope(None)
