# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or absent.

:func:`atomic_write` replaces a file so that a reader, or a machine that lost power, sees the old or the new content and
    nothing between. :func:`copy_tree` copies a prepared data directory, sharing blocks with the source where the file
    system can.
:func:`remove_tree` removes only below a directory that its caller names, and never follows a link out of it.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from pathlib import Path

#: ``FICLONE`` of linux/fs.h: make a file share all blocks of another (btrfs, XFS, bcachefs).
_FICLONE = 0x40049409
#: What the kernel answers where it cannot clone or copy between these two files; then the next way is tried.
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})


def atomic_write(path: Path, data: bytes | str, *, mode: int = 0o600) -> None:
    """Write ``data`` to ``path`` with ``mode``, durable when the function returns.

    :raises OSError: the file is then as it was before.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_tree(source: Path, target: Path, *, durable: bool = False) -> None:
    """Copy the directory ``source`` to ``target``, which must not exist; modes and times are kept, links stay links.

    The copy is made beside ``target`` and renamed, so ``target`` is complete or absent. Sockets, pipes and devices are
    refused.

    :param durable: also flush it to disk before the rename. An engine that flushes its own directory needs this not.
    :raises FileExistsError: when ``target`` exists.
    :raises OSError: nothing is left behind.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        _copy_directory(source, partial)
        if durable:
            _sync_tree(partial)
        os.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if durable:
        sync_directory(target.parent)


def remove_tree(path: Path, *, within: Path) -> None:
    """Remove the directory ``path`` and all below it; absence is success.

    It is renamed first: whoever looks meanwhile finds it absent, never half removed.

    :param within: directory that ``path`` must lie below, compared after resolving links of both.
    :raises ValueError: when it does not, or is a link itself.
    """
    root, parent = within.resolve(), path.parent.resolve()
    if path.name in {"", ".", ".."} or not (parent == root or root in parent.parents):
        raise ValueError(f"{path} is not below {within}")
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        raise ValueError(f"{path} is not a directory")
    doomed = parent / f".removed-{path.name}.{secrets.token_hex(6)}"
    os.rename(path, doomed)
    shutil.rmtree(doomed)  # does not follow links, see shutil.rmtree.avoids_symlink_attacks


def _copy_directory(source: Path, target: Path) -> None:
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            destination = target / entry.name
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), destination)
            elif entry.is_dir(follow_symlinks=False):
                _copy_directory(Path(entry.path), destination)
            elif entry.is_file(follow_symlinks=False):
                _copy_file(entry.path, destination)
            else:
                raise OSError(errno.EINVAL, "neither file, directory nor link", entry.path)
    shutil.copystat(source, target, follow_symlinks=False)


def _copy_file(source: str, target: Path) -> None:
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        size = os.fstat(reader.fileno()).st_size
        if (
            size
            and not _clone(reader.fileno(), writer.fileno())
            and not _copy_in_kernel(reader.fileno(), writer.fileno(), size)
        ):
            writer.truncate(0)
            reader.seek(0)
            writer.seek(0)
            shutil.copyfileobj(reader, writer, 1024 * 1024)
    shutil.copystat(source, target)


def _clone(reader: int, writer: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError as err:
        if err.errno in _CANNOT:
            return False
        raise
    return True


def _copy_in_kernel(reader: int, writer: int, size: int) -> bool:
    copied = 0
    while copied < size:
        try:
            count = os.copy_file_range(reader, writer, size - copied)
        except OSError as err:
            if err.errno in _CANNOT:
                return False
            raise
        if count == 0:
            # Shorter than it was a moment ago, or a file system that answers 0 instead of "cannot": read it the plain
            # way.
            return False
        copied += count
    return True


def _sync_tree(root: Path) -> None:
    for directory, _, names in os.walk(root, topdown=False):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        sync_directory(Path(directory))
