# SPDX-License-Identifier: Apache-2.0
"""The control-plane half of MariaDB and MySQL: what a request may ask of them.

The rules are those of :mod:`.facts`; a request is refused here, with all reasons at once, and not later in the guest.
A user is a name *and* a host: ``ann@%`` and ``ann@10.0.0.1`` are two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trove.datastores import defaults, requested, spi
from trove.datastores.mysql_family import collations, config, facts, installations, sizing
from trove.datastores.mysql_family.protected import FLOORS, PROTECTION
from trove.datastores.parameters import Parameters, Value, load
from trove.wire import command

_DATASTORES = Path(__file__).resolve().parent.parent


class FamilyPlugin:
    """Implements :class:`trove.datastores.spi.Plugin` for the :class:`.facts.Family` of a derived class."""

    family: facts.Family
    name: str
    versions: Sequence[str]
    capabilities = frozenset(spi.Capability)
    port = facts.PORT
    root_name = facts.ROOT

    def validate_databases(self, databases: Sequence[Mapping[str, Any]]) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_databases`."""
        reasons = requested.repeated([str(item["name"]) for item in databases], "database")
        for item in databases:
            name = str(item["name"])
            problem = facts.database_problem(name)
            if problem:
                reasons.append(problem)
            elif self.family.is_reserved_database(name):
                reasons.append(f"the database name '{name}' is reserved")
            problem = collations.problem(self.family.name, item.get("character_set"), item.get("collate"))
            if problem:
                reasons.append(problem)
        return reasons

    def validate_users(self, users: Sequence[Mapping[str, Any]]) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_users`."""
        accounts = [
            f"{i['name']}@{(i.get('host') or facts.ANY_HOST).lower()}" for i in users if i.get("name") is not None
        ]
        reasons = requested.repeated(accounts, "user")
        for item in users:
            name, host, password = item.get("name"), item.get("host"), item.get("password")
            if name is not None:
                problem = self.family.user_problem(str(name))
                if problem:
                    reasons.append(problem)
                elif self.family.is_reserved_user(str(name)):
                    reasons.append(f"the user name '{name}' is reserved")
            if host and (problem := facts.host_problem(str(host))):
                reasons.append(problem)
            if password is not None:
                reasons += requested.password(str(password), str(name) if name is not None else None)
        return reasons

    def validate_size(self, ram_mib: int, volume_gib: int) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_size`."""
        return requested.size(self.family.title, self.family.min_ram_mib, ram_mib, volume_gib)

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        """See :meth:`trove.datastores.spi.Plugin.detect`."""
        return installations.find(self.family, root)

    def variables(self, settings: config.Settings, version: str) -> Mapping[str, str]:
        """Return what ``my.cnf`` sets for an instance without a configuration group."""
        raise NotImplementedError

    def parameters(self, version: str) -> Parameters:
        """See :meth:`trove.datastores.spi.Plugin.parameters`."""
        path = _DATASTORES / self.family.name / "parameters.yaml"
        found = defaults.protect(load(path, version), PROTECTION, FLOORS)
        # The servers take a suffix at any number.
        return {
            name: replace(parameter, type="suffixed") if parameter.type == "integer" else parameter
            for name, parameter in found.items()
        }

    def default_configuration(self, version: str, shape: command.ShapeSpec) -> Mapping[str, Value]:
        """See :meth:`trove.datastores.spi.Plugin.default_configuration`."""
        sized = sizing.compute(shape.vcpus, shape.ram_mib, shape.volume_gib)
        # What depends on a place is protected and so not among the defaults.
        template = self.variables(config.Settings(sized, "", self.port, Path(), Path(), Path(), Path()), version)
        return defaults.configuration(self.parameters(version), template)
