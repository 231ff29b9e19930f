# SPDX-License-Identifier: Apache-2.0
"""A create request, looked up and judged in one go: what it refers to exists, the engine and the provider accept it,
and all objections come at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from trove.api import engines
from trove.api.request import ApiRequest
from trove.api.requests import configurations, placement, plugins, sizes
from trove.common import exception
from trove.datastores import spi
from trove.objects import association, catalog
from trove.providers.registry import Traits

#: Members that the service knows and cannot honour yet, with the capability it lacks.
_UNAVAILABLE = {
    "replica_of": "replication",
    "slave_of": "replication",
    "restorePoint": "backups",
}


@dataclass(frozen=True)
class Wanted:
    """What a create request amounts to, each part looked up once. ``users`` holds passwords: never log it.

    What the new instance gets of modules is not in it: modules are locked when the quota is taken, not before, so that
    the requests of one project do not wait for each other in circles (see :func:`trove.api.requests.modules.give`).

    :ivar volume_type: name; ``None`` leaves it to the provider.
    :ivar configuration_id: of its configuration group, which is locked; ``None``: none.
    """

    version: catalog.DatastoreVersion
    flavor: catalog.Flavor
    volume_gib: int
    volume_type: str | None
    databases: Sequence[Mapping[str, Any]]
    users: Sequence[Mapping[str, Any]]
    place: placement.Placement
    configuration_id: str | None

    def __repr__(self) -> str:
        return f"<Wanted {self.version.id} {self.flavor.id} {self.volume_gib}>"


def look_up(req: ApiRequest, session: Session, body: Mapping[str, Any]) -> Wanted:
    """Look up everything that ``body`` refers to and let the engine judge it.

    :raises ValidationFailed: with every objection of the engine, or to the place.
    :raises NotSupported: naming every member that cannot be honoured.
    :raises ConfigurationNotFound: and what else :func:`trove.api.requests.configurations.find_for` raises.
    """
    provider = req.services.providers.of(None)
    _refuse_unavailable(req, provider, body)
    datastore = body.get("datastore", {})
    version = catalog.resolve_version(
        session,
        datastore.get("type"),
        datastore.get("version"),
        datastore.get("version_number"),
        req.services.conf.default_datastore,
    )
    plugin = plugins.find(req, version.manager)
    engines.require_engine(req.services.conf, version)
    databases = [_database(item) for item in body.get("databases", [])]
    users = [_user(plugin, item) for item in body.get("users", [])]
    size = _volume_size(req, plugin, body)
    reasons = _content_reasons(plugin, databases, users)
    if size is None:
        reasons.append("instance.volume is required by this datastore")
    reference = body.get("flavorRef", body.get("flavor"))
    if reference is None:
        reasons.append("instance.flavorRef is required")
    if reference is None or size is None or reasons:
        raise exception.ValidationFailed(reasons)
    flavor = sizes.find_flavor(session, reference)
    association.check_flavor(session, version, flavor.id)
    volume_type = _volume_type(req, session, version, body) if size else None
    version.hold(session)
    reasons = plugin.validate_size(flavor.ram_mib, size)
    if reasons:
        raise exception.ValidationFailed(reasons)
    place = placement.resolve(req, provider, body)
    group = _group(req, session, version, plugin, body.get("configuration"))
    return Wanted(version, flavor, size, volume_type, databases, users, place, group)


def _group(
    req: ApiRequest,
    session: Session,
    version: catalog.DatastoreVersion,
    plugin: spi.Plugin,
    configuration_id: str | None,
) -> str | None:
    if configuration_id is None:
        return None
    return str(configurations.find_for(session, configuration_id, version, plugin, req.project_id).id)


def _content_reasons(
    plugin: spi.Plugin, databases: Sequence[Mapping[str, Any]], users: Sequence[Mapping[str, Any]]
) -> list[str]:
    reasons: list[str] = []
    if databases:
        plugins.require(plugin, spi.Capability.DATABASES)
        reasons += plugin.validate_databases(databases)
    if users:
        plugins.require_for_users(plugin, [user["databases"] for user in users])
        reasons += plugin.validate_users(users)
        reasons += _unknown_databases(users, databases)
    return reasons


def _refuse_unavailable(req: ApiRequest, provider: Traits, body: Mapping[str, Any]) -> None:
    reasons = [f"'{key}' needs the capability '{name}'" for key, name in sorted(_UNAVAILABLE.items()) if body.get(key)]
    reasons += placement.lacks(provider, placement.needs(provider, body))
    if reasons:
        raise exception.NotSupported(f"This service cannot do that: {'; '.join(reasons)}. Leave it out.")
    if (body.get("replica_count") or 1) > 1:
        raise exception.ValidationFailed(["instance.replica_count is only allowed with replica_of"])
    region = body.get("region_name")
    if region and region != req.services.conf.region:
        raise exception.BadRequest(f"This service makes instances in region {req.services.conf.region} only.")


def _volume_size(req: ApiRequest, plugin: spi.Plugin, body: Mapping[str, Any]) -> int | None:
    volume = body.get("volume")
    if spi.Capability.VOLUME not in plugin.capabilities:
        if volume:
            plugins.require(plugin, spi.Capability.VOLUME)
        return 0
    if not volume:
        return None
    size = int(volume["size"])
    sizes.check_volume(req, size)
    return size


def _volume_type(
    req: ApiRequest, session: Session, version: catalog.DatastoreVersion, body: Mapping[str, Any]
) -> str | None:
    return association.choose_volume_type(
        session,
        version,
        body["volume"].get("type"),
        req.services.conf.cinder_volume_type,
        private=bool(req.context.is_admin),
    )


def _user(plugin: spi.Plugin, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": item["name"],
        "password": item["password"],
        "host": plugins.host_of(plugin, item.get("host")),
        "databases": [entry["name"] for entry in item.get("databases", [])],
    }


def _database(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("name", "character_set", "collate") if item.get(key) is not None}


def _unknown_databases(users: Sequence[Mapping[str, Any]], databases: Sequence[Mapping[str, Any]]) -> list[str]:
    known = {item["name"] for item in databases}
    missing = sorted({name for user in users for name in user["databases"] if name not in known})
    return [f"users refer to database {name!a}, which is not in databases" for name in missing]
