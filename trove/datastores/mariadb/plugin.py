# SPDX-License-Identifier: Apache-2.0
"""The control-plane half of MariaDB."""

from collections.abc import Mapping

from trove.datastores import spi
from trove.datastores.mariadb import config as mariadb_config
from trove.datastores.mariadb import facts
from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.plugin import FamilyPlugin


class MariaDB(FamilyPlugin):
    """Implements :class:`trove.datastores.spi.Plugin`."""

    family = facts.FAMILY
    name = facts.FAMILY.name
    versions = facts.FAMILY.versions
    tested = (
        spi.RealRun("11.8.6", "full", "2026-11-21", "image trixie"),
        spi.RealRun("10.11.19", "core", "2026-11-21", "Debian 12"),
    )

    def variables(self, settings: config.Settings, version: str) -> Mapping[str, str]:
        return mariadb_config.variables(settings)
