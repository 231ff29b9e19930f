# SPDX-License-Identifier: Apache-2.0
"""What is being deleted: files that instances have filled, moved out of sight and removed a pass at a time.

A thing is gone for everybody with one rename (:meth:`Trash.take`); how long its files take to go depends on what its
guest has put there, and nobody waits for that. Each round of supervision goes on for a bounded time. A directory of an
instance's account is emptied with that account's rights only, see :mod:`trove.common.trees`.
"""

import errno
import logging
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from trove.common import clock, trees
from trove.providers.local import faults, privileges

LOG = logging.getLogger(__name__)

#: Begins the names of what was discarded; anything else in the directory is being built.
_PREFIX = "gone-"
#: Seconds after which what is being built counts as left by a crash.
LEFTOVER_AGE = 600.0
#: Seconds after which a round begins with no other item.
ROUND = 2.0


class Trash:
    """The directory ``trash`` of a ``base_dir``. Several threads and processes may remove the same things."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        #: By the name of an item, what kind of error it was last logged with.
        self._told: dict[str, tuple[type[Exception], int | None]] = {}

    def new_name(self) -> Path:
        """Return where something may be built that a crash leaves here."""
        return self._directory / secrets.token_hex(8)

    def take(self, path: Path) -> Path | None:
        """Take a file or directory out of sight for good; return what :meth:`sweep` must remove, ``None`` when there
        was nothing."""
        aside = self._directory / f"{_PREFIX}{secrets.token_hex(8)}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return None
        return aside

    def sweep(self, item: Path) -> bool:
        """Remove one item as far as one pass comes; tell whether it is gone. Never raises: what is left comes up again
        in each :meth:`round`."""
        errors: Sequence[Exception]
        try:
            errors = self._remove(item)
        except Exception as err:  # boundary: whatever a guest has thought of, the other items go on
            errors = [err]
        gone = not os.path.lexists(item)
        if gone:
            self._told.pop(item.name, None)
        elif errors and self._told.get(item.name) != (kind := faults.kind(errors[0])):
            self._told[item.name] = kind
            LOG.error("%s cannot be deleted now, and is tried again: %s", item, errors[0])
        return gone

    def round(self) -> None:
        """Go on with everything that was discarded and what a crash has left, what has failed before at the end."""
        until = clock.monotonic() + ROUND
        items = [item for item in sorted(self._directory.iterdir()) if self._is_due(item)]
        self._told = {item.name: self._told[item.name] for item in items if item.name in self._told}
        for item in sorted(items, key=lambda item: item.name in self._told):
            while not self.sweep(item) and item.name not in self._told and clock.monotonic() < until:
                pass
            if clock.monotonic() >= until:
                return

    @staticmethod
    def _is_due(item: Path) -> bool:
        if item.name.startswith(_PREFIX):
            return True
        try:
            return clock.timestamp() - item.lstat().st_ctime > LEFTOVER_AGE
        except FileNotFoundError:
            return False

    def _remove(self, item: Path) -> Sequence[OSError]:
        """Make one pass over an item; return why the first things of what is left cannot be removed."""
        if not stat.S_ISDIR(item.lstat().st_mode):
            item.unlink()
            return ()
        handle = trees.open_directory(item)
        try:
            # Few, and named by us: what guests have made is in directories of their account.
            parts = [self._remove_part(name, handle) for name in os.listdir(handle)]
        finally:
            os.close(handle)
        errors = [error for part in parts for error in part.errors]
        if not errors and all(part.complete for part in parts):
            try:
                item.rmdir()
            except OSError as err:
                if err.errno != errno.ENOTEMPTY:  # else a part that another sweep is at has just got its new name
                    raise
        return errors

    def _remove_part(self, name: str, parent: int) -> trees.Outcome:
        """Make one pass over what is in an item under a name."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=parent)
                return trees.DONE
            fresh = f".{secrets.token_hex(8)}"
            os.rename(name, fresh, src_dir_fd=parent, dst_dir_fd=parent)  # refused where something is mounted
            outcome = self._empty(fresh, parent, found)
            if outcome.complete and not outcome.errors:
                os.rmdir(fresh, dir_fd=parent)
            return outcome
        except FileNotFoundError:  # another process sweeps at the same time
            return trees.DONE
        except OSError as err:
            return trees.Outcome(complete=True, advanced=False, errors=(err,))

    @staticmethod
    def _empty(name: str, parent: int, found: os.stat_result) -> trees.Outcome:
        handle = trees.open_directory(name, parent)
        try:
            if found.st_uid not in (0, os.geteuid()):
                owner = privileges.Account(f"user id {found.st_uid}", found.st_uid, found.st_gid)
                return privileges.with_rights_of(owner, lambda: trees.empty(handle))
            return trees.empty(handle)
        finally:
            os.close(handle)
