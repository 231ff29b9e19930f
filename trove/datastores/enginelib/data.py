# SPDX-License-Identifier: Apache-2.0
"""A data directory that is being made, or is finished and never removed by us.

It lies below the volume, not on it: the volume's own directory may hold the file system's ``lost+found``. While it is
being made a mark stands beside it; only with the mark may what is there be thrown away. So an agent that is killed at
any moment begins again, and a volume that already holds somebody's data is never overwritten.
"""

import os
from pathlib import Path

from trove.common import trees
from trove.datastores import spi

_UNFINISHED = ".trove-initialising"


class DataDirectory:
    """One engine's directory ``name`` on ``volume``."""

    def __init__(self, volume: Path, name: str) -> None:
        self.path = volume / name
        self._unfinished = volume / _UNFINISHED

    def finished(self) -> bool:
        """Tell whether a directory that was completed is there."""
        return self.path.is_dir() and not self._unfinished.exists()

    def begin(self) -> Path:
        """Make room for a new directory; whatever an interrupted attempt left is removed. The path is absent then.

        :raises EngineError: ``engine.data_exists`` when a finished directory is there.
        """
        if os.path.lexists(self.path):
            if not self._unfinished.exists():
                raise spi.EngineError(
                    "engine.data_exists",
                    "The volume already holds a database and is not overwritten; use an empty volume.",
                )
            trees.remove(self.path)
        # Copies and new directories have such a name while they are made.
        for left in self.path.parent.glob(f".{self.path.name}.*"):
            trees.remove_quietly(left)
        self._unfinished.touch(mode=0o600)
        return self.path

    def finish(self) -> None:
        """Declare the directory complete: from now on it is never removed."""
        self._unfinished.unlink(missing_ok=True)
