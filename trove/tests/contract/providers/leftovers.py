# SPDX-License-Identifier: Apache-2.0
"""What a test of the local provider's second tier has left on the host."""

import pathlib

from trove.providers.local import commands, disks


def left_loop_devices(directory: pathlib.Path) -> list[str]:
    """Return the loop devices with a file below ``directory`` behind them.

    Not those that strangers hold: programs that were started in mount namespaces of their own meanwhile have copies of
    all mounts of that moment, and the kernel ends such a device with the last of them.
    """
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
