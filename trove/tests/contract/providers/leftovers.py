# SPDX-License-Identifier: Apache-2.0
"""What a test of the local provider's second tier has left on the host."""

import pathlib
import time

from trove.providers.local import commands, disks


def left_loop_devices(directory: pathlib.Path, seconds: float = 20) -> list[str]:
    """Return the loop devices that still have a file below ``directory`` behind them after ``seconds``.

    Not those that strangers hold: programs that were started in mount namespaces of their own meanwhile have copies of
    all mounts of that moment, and the kernel ends such a device with the last of them.
    """
    until = time.monotonic() + seconds
    while (left := _listed(directory)) and time.monotonic() < until:
        time.sleep(0.1)  # a launcher that has just begun holds copies of all mounts for a moment
    return left


def _listed(directory: pathlib.Path) -> list[str]:
    left = []
    for line in commands.run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        device, _, file = line.partition(" ")
        if file.strip().startswith(f"{directory}/") and not _strangers(device, str(directory)):
            left.append(line)
    return left


def _strangers(device: str, directory: str) -> list[int]:
    """Return the processes that hold a device and have nothing to do with ``directory``."""
    found = []
    for pid in disks.holders(device):
        try:
            arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if directory.encode() not in arguments:
            found.append(pid)
    return found
