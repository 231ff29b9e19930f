# SPDX-License-Identifier: Apache-2.0
"""Find the programs of MariaDB or MySQL by looking at files; nothing is run.

The version is read from the server program itself, which holds the text it prints for ``--version``: the one fact that
every packaging has in common. Where a distribution has one it also names ``mysqld`` what is MariaDB's server, so the
name of a program says nothing.
"""

import functools
import mmap
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from trove.datastores import rootfs, spi
from trove.datastores.mysql_family.facts import Family, version_key

#: The root file system of this host.
HOST = Path("/")
_FOLDERS = ("sbin", "bin", "libexec")
_HOMES = ("usr", "usr/local", "usr/local/mysql", "usr/local/mariadb", "opt/mysql", "opt/mariadb")


def programs(family: Family, home: Path) -> Iterator[Path]:
    """Yield where the server's program may be below ``home``, best first."""
    for name in family.servers:
        for folder in _FOLDERS:
            yield home / folder / name


def server_program(family: Family, home: Path, root: Path | None) -> Path | None:
    """Return the server's program as seen inside ``root``, ``None`` when there is none of this family."""
    for path in programs(family, home):
        if read_version(family, rootfs.on_host(path, root)) is not None:
            return path
    return None


def read_version(family: Family, program: Path) -> str | None:
    """Return the version of a server's program, ``None`` when it is another's or cannot be read."""
    try:
        found = program.stat()
        return _read(family.banner.pattern, str(program), found.st_size, found.st_mtime_ns)
    except OSError:
        return None


@functools.cache
def _read(pattern: bytes, program: str, _size: int, _changed: int) -> str | None:
    """Search tens of megabytes once, not each time the service looks what is there."""
    import re

    try:
        with open(program, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            match = re.search(pattern, view)
            return match.group(1).decode() if match else None
    except (OSError, ValueError):
        return None


def _candidates(family: Family, root: Path) -> Iterator[tuple[Path, str]]:
    for home in _HOMES:
        yield HOST / home, "distribution" if root == HOST else "image"
    if root == HOST:
        for name in family.servers:
            if program := shutil.which(name):
                yield Path(os.path.realpath(program)).parent.parent, "PATH"


def find(family: Family, root: Path = HOST) -> list[spi.EngineInstallation]:
    """Return what is installed, newest first, each program once; series this code does not know are left out.

    :param root: see :meth:`trove.datastores.spi.Plugin.detect`.
    """
    found: dict[Path, spi.EngineInstallation] = {}
    for home, source in _candidates(family, root):
        program = server_program(family, home, root)
        if program is None:
            continue
        version = read_version(family, rootfs.on_host(program, root))
        if version is not None and family.series(version) is not None:
            found.setdefault(
                rootfs.inside(program, root), spi.EngineInstallation(version=version, home=home, source=source)
            )
    return sorted(found.values(), key=lambda item: version_key(item.version), reverse=True)
