# SPDX-License-Identifier: Apache-2.0
"""Volumes with a real size: an XFS file system in a file, mounted by a loop device.

The rule behind every function here: *no path is handed on unless the volume is proven to be mounted there*. A mount
that failed unnoticed would have an engine, or somebody who fills the volume, write to the host's own disk. So

* the mount point below is an empty directory of root with no permissions: an engine cannot write into it;
* :func:`is_mounted` asks the kernel three times: its list of mounts, the file behind the loop device, and the device
  of the directory itself;
* a file system is made in a file of another name and renamed when it is complete;
* one file is never behind two loop devices (the kernel would keep two different caches of it): mount(8) takes the
  device that already has the file, also when only a process in another mount namespace still uses it.

Unmounting is never lazy. The file is sparse and takes what is written; what all files of a host could still take must
be free when one is made or grown, because a file system above a full disk breaks instead of saying "no space".
"""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from trove.common import clock
from trove.providers import base
from trove.providers.local import commands
from trove.providers.local.privileges import Account
from trove.providers.local.records import sync_directory

GIB = 2**30
#: mkfs.xfs refuses less.
SMALLEST = 300 * 2**20
#: Kept free on the host's disk for everything else.
HOST_RESERVE = 512 * 2**20

_MOUNTS = Path("/proc/self/mountinfo")
#: Seconds until a loop device must be gone. A launcher that has just begun lets go of its copy of the mount, udev of
#: the device; usually that takes no time, but on a busy host each of them may have to wait for a processor. Everybody
#: else on this host waits meanwhile, so it is not long; the caller asks again.
_SETTLE = 2.0


class NotMounted(base.RetryableError):
    """The volume is not mounted where it should be; nothing may be written there."""


def make(image: Path, size: int) -> None:
    """Make an empty file system of ``size`` bytes in the file ``image``, which must not exist.

    :raises base.QuotaError: when the host's disk could not hold it.
    """
    if size < SMALLEST:
        raise base.FatalError(f"an XFS volume needs {SMALLEST >> 20} MiB at least, not {size >> 20}")
    require_space(image, size)
    building = image.with_name(f".{image.name}.new")
    building.unlink(missing_ok=True)
    try:
        with open(os.open(building, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.truncate(size)
        commands.run("mkfs.xfs", "-q", str(building))
        handle = os.open(building, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        building.rename(image)
    except BaseException:
        building.unlink(missing_ok=True)
        raise
    sync_directory(image.parent)


def make_mountpoint(directory: Path) -> None:
    """Make the directory on which a volume is mounted; nobody can write into it while none is."""
    directory.mkdir(mode=0o700, exist_ok=True)
    if not os.path.ismount(directory):
        directory.chmod(0)


def mount(image: Path, directory: Path, account: Account) -> None:
    """Mount the volume unless it is, and give it to ``account``.

    :raises NotMounted: when it is not there afterwards, or something else is.
    """
    if not is_mounted(image, directory):
        if os.path.ismount(directory):
            raise NotMounted(f"something else is mounted on {directory}; unmount it")
        commands.run("mount", "-t", "xfs", "-o", "loop,nodev,nosuid,noatime", str(image), str(directory))
    require(image, directory)
    found = directory.stat()
    if (found.st_uid, found.st_gid) != (account.uid, account.gid):
        os.chown(directory, account.uid, account.gid)
    if found.st_mode & 0o777 != 0o700:
        directory.chmod(0o700)


def require(image: Path, directory: Path) -> None:
    """Do nothing when the volume is mounted.

    :raises NotMounted: otherwise.
    """
    if not is_mounted(image, directory):
        raise NotMounted(f"the volume {image} is not mounted on {directory}")


def is_mounted(image: Path, directory: Path) -> bool:
    """Tell whether exactly this volume is mounted on ``directory``."""
    found = _mount_at(directory)
    if found is None or found.kind != "xfs" or not found.source.startswith("/dev/loop"):
        return False
    try:
        here, above = directory.stat(), directory.parent.stat()
        backing = Path("/sys/dev/block", found.device, "loop", "backing_file").read_text().rstrip("\n")
        same = os.path.samestat(os.stat(backing), image.stat())
    except OSError:
        return False
    number = f"{os.major(here.st_dev)}:{os.minor(here.st_dev)}"
    return same and number == found.device and here.st_dev != above.st_dev


def grow(image: Path, directory: Path, size: int) -> None:
    """Enlarge a mounted volume to ``size`` bytes while it is in use; safe to repeat, never smaller.

    :raises NotMounted: when it is not mounted.
    :raises base.QuotaError: when the host's disk could not hold it.
    """
    require(image, directory)
    missing = size - image.stat().st_size
    if missing > 0:
        require_space(image, missing)
        os.truncate(image, size)
    found = _mount_at(directory)
    if found is None:
        raise NotMounted(f"the volume {image} is not mounted on {directory}")
    commands.run("losetup", "-c", found.source)
    commands.run("xfs_growfs", str(directory))


def unmount(image: Path, directory: Path) -> None:
    """Unmount the volume and wait until its loop device is gone; success when it is not mounted.

    :raises base.RetryableError: while a process uses it.
    """
    if is_mounted(image, directory):
        try:
            commands.run("umount", str(directory))
        except commands.ToolError as err:
            raise base.RetryableError(f"the volume {image} is still in use: {err}") from err
    if not image.exists():
        return
    until = clock.monotonic() + _SETTLE
    while devices := loop_devices(image):
        for device in devices:
            # A crash between the attachment and the mount leaves a device that does not end by itself.
            with contextlib.suppress(commands.ToolError):
                commands.run("losetup", "-d", device)
        if clock.monotonic() > until:
            pids = ", ".join(map(str, holders(devices[0])[:5])) or "unknown"
            raise base.RetryableError(
                f"the volume {image} ({devices[0]}) is still mounted in another mount namespace, of processes {pids}"
            )
        clock.sleep(0.02)


def loop_devices(image: Path) -> list[str]:
    """Return the loop devices that have this very file behind them."""
    output = commands.run("losetup", "--json", "--list", "--output", "NAME,BACK-INO,BACK-MAJ:MIN")
    found = image.stat()
    wanted = (found.st_ino, f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}")
    rows = json.loads(output)["loopdevices"] if output.strip() else []
    # A device that is being detached is listed without its file.
    known = [row for row in rows if row["back-ino"] is not None and row["back-maj:min"] is not None]
    return [row["name"] for row in known if (int(row["back-ino"]), row["back-maj:min"].strip()) == wanted]


def holders(device: str) -> list[int]:
    """Return the processes in whose mount namespace a block device is mounted."""
    number = os.stat(device).st_rdev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            lines = Path("/proc", name, "mountinfo").read_text().splitlines() if name.isdigit() else []
            if any(line.split(" ", 3)[2] == wanted for line in lines):
                found.append(int(name))
    return found


def require_space(image: Path, more: int) -> None:
    """Refuse to promise ``more`` bytes that the host's disk does not have.

    What the other volumes beside ``image`` (``…/<volume>/<image name>``) may still take counts as gone.

    :raises base.QuotaError: when it would not be enough.
    """
    promised = 0
    for other in image.parent.parent.glob(f"*/{image.name}"):
        with contextlib.suppress(OSError):
            found = other.stat()
            promised += max(0, found.st_size - found.st_blocks * 512)
    space = os.statvfs(image.parent)
    free = space.f_bavail * space.f_frsize - promised - HOST_RESERVE
    if more > free:
        raise base.QuotaError(
            f"the disk of this host has room for {max(0, free) >> 20} MiB more of volumes, not for {more >> 20}"
        )


@dataclass(frozen=True)
class _Mount:
    device: str
    kind: str
    source: str


def _mount_at(directory: Path) -> _Mount | None:
    """Return the topmost mount on ``directory``."""
    wanted = os.path.realpath(directory)
    found = None
    for line in _MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if _unescape(fields[4]) == wanted:
            found = _Mount(fields[2], rest[0], rest[1])
    return found


def _unescape(text: str) -> str:
    """Undo the octal escapes of /proc/self/mountinfo."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text
