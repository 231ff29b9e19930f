# SPDX-License-Identifier: Apache-2.0
"""Requests to the kernel that need no program, for where the start of one would take longer than what it does.

Numbers and layouts: <linux/mount.h>, <linux/sockios.h>, <linux/loop.h>, <linux/if.h>, ioctl_xfs_fsgrowfs and
ioctl_xfs_fsgeometry of xfsprogs.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

_MS_BIND = 4096
_MNT_DETACH = 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFNAME = 0x8913, 0x8914, 0x8923
_IFF_UP = 1
_LOOP_SET_CAPACITY = 0x4C07
#: Block size, six numbers, the most percent for inodes, the count of blocks; the rest does not matter here.
_GEOMETRY = struct.Struct("=8IQ72x")
_XFS_GEOMETRY = 0x8070_5864
_GROWTH = struct.Struct("=QI4x")
_XFS_GROW = 0x4010_586E

_libc = ctypes.CDLL(None, use_errno=True)


def bind(source: Path, target: Path) -> None:
    """Show ``source`` at ``target`` as well.

    :raises OSError: when the kernel refuses.
    """
    flags = ctypes.c_ulong(_MS_BIND)
    _require(_libc.mount(os.fsencode(source), os.fsencode(target), None, flags, None), target)


def unbind(target: Path) -> None:
    """Take away what :func:`bind` has put there; it stays for those who use it.

    :raises OSError: when the kernel refuses.
    """
    _require(_libc.umount2(os.fsencode(target), _MNT_DETACH), target)


def _require(answer: int, path: Path) -> None:
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(path))


def rename_interface(old: str, new: str) -> None:
    """Give a network interface of this process's namespace another name, while it is up where the kernel can do that
    (Linux 6.2).

    :raises OSError: when there is none called ``old``, or one called ``new``.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("16s16s8x", old.encode(), new.encode())
        try:
            fcntl.ioctl(asked, _SIOCSIFNAME, request)
        except OSError as err:
            if err.errno != errno.EBUSY:
                raise
            _set_up(asked, old, False)
            fcntl.ioctl(asked, _SIOCSIFNAME, request)
            _set_up(asked, new, True)


def _set_up(asked: socket.socket, name: str, up: bool) -> None:
    answer = fcntl.ioctl(asked, _SIOCGIFFLAGS, struct.pack("16sH22x", name.encode(), 0))
    flags = struct.unpack("16sH22x", answer)[1]
    flags = flags | _IFF_UP if up else flags & ~_IFF_UP
    fcntl.ioctl(asked, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), flags))


def update_capacity(device: str) -> None:
    """Have a loop device notice that the file behind it has grown.

    :raises OSError: when the kernel refuses.
    """
    handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, _LOOP_SET_CAPACITY)
    finally:
        os.close(handle)


def grow_xfs(directory: Path, size: int) -> None:
    """Have the XFS file system that is mounted on ``directory`` use ``size`` bytes of its device; never fewer.

    :raises OSError: when the kernel refuses.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        known = _GEOMETRY.unpack(fcntl.ioctl(handle, _XFS_GEOMETRY, bytes(_GEOMETRY.size)))
        block_size, inode_percent, blocks = known[0], known[7], known[8]
        if size // block_size > blocks:
            fcntl.ioctl(handle, _XFS_GROW, _GROWTH.pack(size // block_size, inode_percent))
    finally:
        os.close(handle)
