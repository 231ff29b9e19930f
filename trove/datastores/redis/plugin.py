# SPDX-License-Identifier: Apache-2.0
"""The control-plane half of Redis."""

from trove.datastores import spi
from trove.datastores.redis.product import REDIS
from trove.datastores.redis_family.plugin import FamilyPlugin


class Redis(FamilyPlugin):
    """Implements :class:`trove.datastores.spi.Plugin`."""

    product = REDIS
    tested = (
        spi.RealRun("8.0.2", "full", "2026-11-21", "image trixie"),
        spi.RealRun("7.0.15", "core", "2026-11-21", "Debian 12"),
    )
