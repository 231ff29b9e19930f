# SPDX-License-Identifier: Apache-2.0
"""The control-plane half that Redis and Valkey share: what they can do, and what a request may ask of them.

They have numbered key spaces and no databases that could be made or granted, and users without hosts. A request is
refused here, with all reasons at once, and not later in the guest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from trove.datastores import defaults, requested, spi
from trove.datastores.parameters import Parameters, Value, load
from trove.datastores.redis_family import config, facts, installations, sizing
from trove.datastores.redis_family.product import Product
from trove.datastores.redis_family.protected import FLOORS, PROTECTION
from trove.wire import command

_DATASTORES = Path(__file__).resolve().parent.parent
_BUFFER_LIMITS = "client-output-buffer-limit"
_CLIENTS = "maxclients"
_DATABASES = "databases"


class FamilyPlugin:
    """Implements :class:`trove.datastores.spi.Plugin` for the engine that a subclass names."""

    product: ClassVar[Product]
    capabilities = frozenset(
        {
            spi.Capability.USERS,
            spi.Capability.ROOT,
            spi.Capability.VOLUME,
            spi.Capability.CONFIGURATION,
            spi.Capability.LOGS,
        }
    )
    port = facts.PORT
    root_name = facts.ROOT

    @property
    def name(self) -> str:
        """Name of the datastore."""
        return self.product.name

    @property
    def versions(self) -> Sequence[str]:
        """Series of versions this plugin knows."""
        return self.product.versions

    def validate_databases(self, databases: Sequence[Mapping[str, Any]]) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_databases`."""
        return [f"{self.product.title} has no databases that could be created"] if databases else []

    def validate_users(self, users: Sequence[Mapping[str, Any]]) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_users`."""
        names = [str(item["name"]) for item in users if item.get("name") is not None]
        repeated = sorted({name for name in names if names.count(name) > 1})
        reasons = [f"the user {name!a} is given more than once" for name in repeated]
        for item in users:
            name = item.get("name")
            if name is not None:
                problem = facts.name_problem(str(name))
                if problem is None and facts.is_reserved_user(str(name)):
                    problem = f"the user name '{name}' is reserved"
                reasons += [problem] if problem else []
            if item.get("password") is not None:
                problem = facts.password_problem(str(item["password"]), None if name is None else str(name))
                reasons += [problem] if problem else []
        return reasons

    def validate_size(self, ram_mib: int, volume_gib: int) -> list[str]:
        """See :meth:`trove.datastores.spi.Plugin.validate_size`."""
        return requested.size(self.product.title, sizing.MIN_RAM_MIB, ram_mib, volume_gib)

    def detect(self, root: Path = Path("/")) -> list[spi.EngineInstallation]:
        """See :meth:`trove.datastores.spi.Plugin.detect`."""
        return installations.find(self.product, root)

    def parameters(self, version: str) -> Parameters:
        """See :meth:`trove.datastores.spi.Plugin.parameters`."""
        path = _DATASTORES / self.product.name / "parameters.yaml"
        found = dict(defaults.protect(load(path, version), PROTECTION, FLOORS))
        found[_BUFFER_LIMITS] = replace(found[_BUFFER_LIMITS], type="buffer-limits")
        found[_CLIENTS] = replace(found[_CLIENTS], max=sizing.MAX_CLIENTS)
        found[_DATABASES] = replace(found[_DATABASES], max=sizing.MAX_DATABASES)
        return found

    def default_configuration(self, version: str, shape: command.ShapeSpec) -> Mapping[str, Value]:
        """See :meth:`trove.datastores.spi.Plugin.default_configuration`."""
        sized = sizing.compute(shape.vcpus, shape.ram_mib, shape.volume_gib)
        # What depends on a place is protected and so not among the defaults.
        template = config.parameters(config.Settings(sized, "", self.port, Path(), Path(), Path()))
        return defaults.configuration(self.parameters(version), template)
