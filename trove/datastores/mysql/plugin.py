# SPDX-License-Identifier: Apache-2.0
"""The control-plane half of MySQL."""

from collections.abc import Mapping

from trove.datastores import spi
from trove.datastores.mysql import config as mysql_config
from trove.datastores.mysql import facts
from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.plugin import FamilyPlugin


class MySQL(FamilyPlugin):
    """Implements :class:`trove.datastores.spi.Plugin`."""

    family = facts.FAMILY
    name = facts.FAMILY.name
    versions = facts.FAMILY.versions
    tested = (spi.RealRun("9.7.4", "full", "2026-11-21", "image sid"),)

    def variables(self, settings: config.Settings, version: str) -> Mapping[str, str]:
        return mysql_config.variables(settings, version)
