# SPDX-License-Identifier: Apache-2.0
"""Engines in images, for the tests.

Building an image takes a minute and a mirror, so no test does it by itself. Build them once, for example::

    trove-manage image build trixie --image-dir /var/tmp/trove-images-dev --suite trixie \
        --packages mariadb-server,mariadb-backup,postgresql-17,redis-server,valkey-server,procps

``TROVE_TEST_IMAGE_DIR`` names another directory.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from trove.datastores import registry, spi
from trove.guestagent.system import process
from trove.guestagent.system.bubblewrap import BubblewrapProcess
from trove.providers.local.images.manifest import ImageError
from trove.providers.local.images.store import Images

DIRECTORY = Path(os.environ.get("TROVE_TEST_IMAGE_DIR", "/var/tmp/trove-images-dev"))


@dataclass(frozen=True)
class InImage(spi.EngineInstallation):
    """An engine in the root file system ``root``."""

    root: Path


def root_of(installation: spi.EngineInstallation) -> Path | None:
    """Return the root file system of an installation, ``None`` for one of this host."""
    return installation.root if isinstance(installation, InImage) else None


def make_process(installation: spi.EngineInstallation, data_dir: Path, state_dir: Path) -> process.ChildProcess:
    """Make what runs the engine, as the agent does."""
    root = root_of(installation)
    return process.ChildProcess() if root is None else BubblewrapProcess(root, [data_dir, state_dir], state_dir)


def is_wrapper(pid: int) -> bool:
    """Tell whether ``pid`` is bubblewrap, which has the engine's command line in its own."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "bwrap"
    except OSError:
        return False


@functools.cache
def usable() -> tuple[tuple[str, Path], ...]:
    """Return name and root file system of every image that is complete and what was built."""
    images = Images(DIRECTORY)
    found = []
    for entry in images.entries():
        if entry.manifest is not None:
            try:
                found.append((entry.name, images.root(entry.name)))
            except ImageError:
                continue
    return tuple(found)


@functools.cache
def installed() -> tuple[tuple[str, InImage], ...]:
    """Return (plugin name, installation) for every engine in an image; each version once."""
    found: dict[tuple[str, str], tuple[str, InImage]] = {}
    for image, root in usable():
        for name, plugin in registry.load_plugins().items():
            for inside in plugin.detect(root):
                made = InImage(inside.version, inside.home, f"image {image}", root)
                found.setdefault((name, inside.version), (name, made))
    return tuple(found.values())
