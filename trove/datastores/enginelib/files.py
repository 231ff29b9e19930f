# SPDX-License-Identifier: Apache-2.0
"""Private files that are whole or absent, and copies of prepared data directories; for engines and the agent alike."""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path

from trove.common import trees

#: ``FICLONE`` of linux/fs.h: let a file share all blocks of another, where the file system can (btrfs, XFS).
_FICLONE = 0x40049409
#: What the kernel answers where it cannot clone or copy between these two files; then the next way is tried.
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` with mode 0600; see :func:`atomic_write`."""
    atomic_write(path, text.encode())


def atomic_write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data`` with ``mode``, durable when the function returns; a reader sees the old or the new.

    :raises OSError: the file is then as it was before.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def private_directory(path: Path) -> Path:
    """Make ``path`` with mode 0700, or give it that mode; return it.

    :raises PermissionError: when it belongs to somebody else.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)
    return path


def copy_tree(source: Path, target: Path) -> None:
    """Copy a stopped data directory to ``target``, which must not exist; blocks are shared where the file system can.

    Modes and times are kept, links stay links; sockets, pipes and devices are refused.

    :raises OSError: nothing is left behind.
    """
    if os.path.lexists(target):
        raise FileExistsError(str(target))
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        _copy_directories(source, partial)
        os.rename(partial, target)
    except BaseException:
        trees.remove_quietly(partial)
        raise


def _copy_directories(source: Path, target: Path) -> None:
    # Not shutil.copytree: it gathers errors into one without errno, and "no space left" must be recognisable.
    made: list[tuple[Path, Path]] = []
    waiting = [(source, target)]
    while waiting:
        made.append(waiting.pop())
        waiting += _copy_directory(*made[-1])
    for old, new in reversed(made):  # last: a directory may forget how to be written to
        shutil.copystat(old, new, follow_symlinks=False)


def _copy_directory(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Copy a directory without those in it, which are returned with their targets."""
    below = []
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append((Path(entry.path), target / entry.name))
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), target / entry.name)
            elif entry.is_file(follow_symlinks=False):
                _copy_file(entry.path, str(target / entry.name))
            else:
                raise OSError(errno.EINVAL, "neither file, directory nor link", entry.path)
    return below


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        if not (_clone(reader.fileno(), writer.fileno()) or _copy_in_kernel(reader.fileno(), writer.fileno())):
            writer.truncate(0)
            reader.seek(0)
            writer.seek(0)
            shutil.copyfileobj(reader, writer, 1024 * 1024)
    shutil.copystat(source, target)


def _clone(reader: int, writer: int) -> bool:
    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError as err:
        if err.errno in _CANNOT:
            return False
        raise
    return True


def _copy_in_kernel(reader: int, writer: int) -> bool:
    left = os.fstat(reader).st_size
    while left > 0:
        try:
            count = os.copy_file_range(reader, writer, left)
        except OSError as err:
            if err.errno in _CANNOT:
                return False
            raise
        if count == 0:
            # A file system that answers 0 instead of "cannot": read the plain way.
            return False
        left -= count
    return True


def sync_file_system(path: Path) -> None:
    """Flush the file system that holds ``path`` to disk (syncfs(2)); everything there, where the call does not
    exist.
    """
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syncfs(descriptor)
    finally:
        os.close(descriptor)
