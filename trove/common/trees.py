# SPDX-License-Identifier: Apache-2.0
"""Remove directory trees that somebody else has filled, whatever they have put there.

A tree may be deeper than the interpreter's stack and than the longest path name, hold millions of entries, and
directories without any permission. So nothing here recurs, names are only used relative to open directories, and one
pass has a limit. Each directory below the top is moved to the top before it is looked into: that keeps two directories
open however deep the tree is, and every pass leaves it flatter. Symbolic links are removed, never followed. A mount
point can neither be moved nor removed, so what is mounted inside is not entered either.

What cannot be removed is named in the outcome, and keeps nothing else from being removed.
"""

import contextlib
import itertools
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

#: Entries that one pass looks at: about a fifth of a second's work.
PASS = 10_000
_SMALLEST_PASS = 4

_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ERRORS_KEPT = 3
_OWNERS_ALL = 0o700


class Outcome(NamedTuple):
    """What has become of a pass.

    :ivar complete: whether everything has been looked at; what is left then cannot be removed now.
    :ivar advanced: whether another pass has less to do.
    :ivar errors: why the first few of those that are left cannot be removed.
    """

    complete: bool
    advanced: bool
    errors: Sequence[OSError] = ()


#: The outcome of a pass over nothing.
DONE = Outcome(complete=True, advanced=False)


def remove(path: Path | str) -> None:
    """Remove a directory with all that is in it, however many passes that takes.

    :raises OSError: when it is no directory, or something in it cannot be removed; everything else is gone then.
    """
    handle = open_directory(path)
    try:
        while not (outcome := empty(handle)).complete and outcome.advanced:
            pass
    finally:
        os.close(handle)
    if outcome.errors:
        raise outcome.errors[0]
    os.rmdir(path)


def remove_quietly(path: Path | str) -> None:
    """Like :func:`remove`, for what only takes up room while it is there."""
    with contextlib.suppress(OSError):
        remove(path)


def open_directory(path: Path | str, parent: int | None = None) -> int:
    """Return a descriptor of a directory of ours, which gets the permissions of its owner back where it lacks them.

    :param parent: descriptor of the directory that ``path`` is relative to.
    :raises OSError: also for anything but a directory, a symbolic link to one included.
    """
    found = os.open(path, os.O_PATH | _DIRECTORY, dir_fd=parent)
    try:
        mode = os.fstat(found).st_mode
        if mode & _OWNERS_ALL != _OWNERS_ALL:
            os.chmod(_magic(found), _OWNERS_ALL)
        return os.open(_magic(found), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(found)


def empty(top: int, limit: int = PASS) -> Outcome:
    """Remove what is in a directory, in one pass.

    :param top: descriptor of the directory.
    :param limit: how many entries to look at; a few at least.
    """
    return _Pass(top, max(limit, _SMALLEST_PASS)).run()


class _Pass:
    """One pass over a tree; for the arguments see :func:`empty`."""

    def __init__(self, top: int, limit: int) -> None:
        self._top = top
        self._left = limit
        self._complete = True
        self._advanced = False
        self._waiting: list[str] = []
        self._errors: list[OSError] = []

    def run(self) -> Outcome:
        # Half of the limit: the other half removes what is found here, so that each pass gets on.
        self._strip(self._top, self._left // 2)
        while self._waiting and self._left > 0:
            self._remove(self._waiting.pop())
        return Outcome(self._complete and not self._waiting, self._advanced, tuple(self._errors))

    def _remove(self, name: str) -> None:
        """Remove a directory at the top, whose own directories come to the top instead."""
        self._left -= 1
        try:
            handle = open_directory(name, self._top)
            try:
                everything = self._strip(handle, max(self._left, 1))
            finally:
                os.close(handle)
            if everything:
                os.rmdir(name, dir_fd=self._top)
                self._advanced = True
        except OSError as err:
            self._note(err, name)

    def _strip(self, directory: int, limit: int) -> bool:
        """Remove the files of a directory and move its directories to the top; tell whether it was looked at to its
        end."""
        with os.scandir(directory) as entries:
            # A list: what is moved within the top may be found there once more, and so without end.
            found = list(itertools.islice(entries, limit + 1))
        self._left -= min(len(found), limit)
        for entry in found[:limit]:
            try:
                if entry.is_dir(follow_symlinks=False):
                    self._raise(directory, entry.name)
                    self._advanced |= directory != self._top
                else:
                    os.unlink(entry.name, dir_fd=directory)
                    self._advanced = True
            except OSError as err:
                self._note(err, entry.name)
        everything = len(found) <= limit
        self._complete &= everything
        return everything

    def _raise(self, directory: int, name: str) -> None:
        fresh = f".{secrets.token_hex(8)}"
        try:
            os.rename(name, fresh, src_dir_fd=directory, dst_dir_fd=self._top)
        except PermissionError:  # to write its ".." takes the permission to write
            os.close(open_directory(name, directory))
            os.rename(name, fresh, src_dir_fd=directory, dst_dir_fd=self._top)
        self._waiting.append(fresh)

    def _note(self, error: OSError, name: str) -> None:
        # Absence is success: somebody else may be removing the same tree. Names are not ours: kept short and harmless.
        if not isinstance(error, FileNotFoundError) and len(self._errors) < _ERRORS_KEPT:
            self._errors.append(OSError(error.errno, error.strerror, ascii(name)[:80]))


def _magic(handle: int) -> str:
    return f"/proc/self/fd/{handle}"
