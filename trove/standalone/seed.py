# SPDX-License-Identifier: Apache-2.0
"""Fill the catalogue of a host: its engines and those in its images as datastore versions, a range of shapes as
flavors, and the provider's volume type. Safe to repeat."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from trove.api import engines
from trove.datastores import spi
from trove.db import api
from trove.objects import catalog, errors
from trove.providers.local.images.store import Images

#: id, name, vcpus, memory in MiB, disk in GiB. Ids are plain numbers, as in a cloud's own small set.
FLAVORS = (
    ("1", "db.tiny", 1, 512, 5),
    ("2", "db.small", 1, 1024, 10),
    ("3", "db.medium", 2, 2048, 20),
    ("4", "db.large", 2, 4096, 40),
    ("5", "db.xlarge", 4, 8192, 80),
)
#: id, name, description. The local provider has one kind of storage.
VOLUME_TYPES = (("local", "local", "Storage of the host that runs the instance"),)


def seed(session: Session, plugins: Mapping[str, spi.Plugin], images: Images | None = None) -> list[str]:
    """Register every engine found on this host or in its images, the flavors and the volume type; return one line for
    each.

    A version that is found twice is taken from the host, else from the image that was built last. An engine that is no
    longer found is deactivated: its instances stay, new ones cannot be made; it comes back with its engine. What an
    operator has deactivated stays so. The newest active version of each datastore becomes its default, unless the
    present default is still available.
    """
    roots, lines = engines.usable(images)
    for name, plugin in sorted(plugins.items()):
        found = engines.find(plugin, roots)
        known = _known_versions(session, name)
        kept_default = next((v.version for v in known if v.is_default and engines.match(found, v.version)), None)
        off = {v.version for v in known if not v.active and v.engine_missing_at is None and v.name == v.version}
        default = kept_default or next((version for version in found if version not in off), None)
        for version, available in found.items():
            _register(session, name, available, active=version not in off, default=version == default)
            lines.append(f"datastore {name} {version} ({available.source})")
        for row in known:
            here = engines.match(found, row.version)
            if (row.engine_home or row.root_image) and here is None and row.active:
                row.assign({"active": False, "engine_missing_at": api.now(session)})
                row.save(session)
                lines.append(f"datastore {name} {row.version} is no longer installed: deactivated")
            elif here is not None and row.engine_missing_at is not None and row.version not in found:
                row.assign({"active": True, "engine_missing_at": None, **here.columns()})
                row.save(session)
                lines.append(f"datastore {name} {row.version} is installed again: activated")
    for flavor_id, name, vcpus, ram_mib, disk_gib in FLAVORS:
        catalog.register_flavor(session, id=flavor_id, name=name, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
        lines.append(f"flavor {flavor_id} {name}")
    for type_id, name, description in VOLUME_TYPES:
        catalog.register_volume_type(session, id=type_id, name=name, description=description)
        lines.append(f"volume type {type_id} {name}")
    return lines


def _known_versions(session: Session, name: str) -> Sequence[catalog.DatastoreVersion]:
    try:
        datastore = catalog.Datastore.get_by_name_or_id(session, name)
    except errors.DatastoreNotFound:
        return []
    return list(catalog.DatastoreVersion.list(session, datastore_id=datastore.id))


def _register(session: Session, name: str, available: engines.Available, *, active: bool, default: bool) -> None:
    installation = available.installation
    catalog.register_version(
        session,
        datastore=name,
        name=installation.version,
        version=installation.version,
        manager=name,
        engine_home=str(installation.home),
        root_image=available.image,
        engine_missing_at=None,
        active=active,
        default=default,
    )
