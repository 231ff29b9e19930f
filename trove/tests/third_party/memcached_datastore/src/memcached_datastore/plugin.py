# SPDX-License-Identifier: Apache-2.0
"""The control-plane half: what memcached can do, and where it is installed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trove.datastores import rootfs, spi

#: Below this too little is left for a cache.
MIN_RAM_MIB = 128


class Memcached:
    """Implements :class:`trove.datastores.spi.Plugin`."""

    name = "memcached"
    versions = ("1.6",)
    #: No users, no databases, no volume: start, stop, restart and resize are all there is.
    capabilities: frozenset[spi.Capability] = frozenset()
    port = 11211
    root_name = ""

    def validate_databases(self, databases: Sequence[Mapping[str, Any]]) -> list[str]:
        """Refuse all; the service does so itself, because the capability is missing."""
        return ["memcached has no databases"] if databases else []

    def validate_users(self, users: Sequence[Mapping[str, Any]]) -> list[str]:
        """Refuse all, as above."""
        return ["memcached has no users"] if users else []

    def validate_size(self, ram_mib: int, volume_gib: int) -> list[str]:
        """Refuse what is too small to be of use."""
        if ram_mib < MIN_RAM_MIB:
            return [f"memcached needs {MIN_RAM_MIB} MiB of memory or more, this flavor has {ram_mib}"]
        return []

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        """Look for the program below ``root``; its version is a string in it."""
        home = Path("/usr")
        try:
            program = rootfs.on_host(home / "bin" / "memcached", root).read_bytes()
        except OSError:
            return []
        found = re.search(rb"\0memcached (1\.6\.\d+)\0", program)
        if found is None:
            return []
        source = "distribution" if root == Path("/") else "image"
        return [spi.EngineInstallation(version=found.group(1).decode(), home=home, source=source)]
