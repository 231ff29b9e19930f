# SPDX-License-Identifier: Apache-2.0
"""Fill the catalogue of a host: its engines and those in its images as datastore versions, a range of shapes as
flavors. Safe to repeat."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from trove.datastores import spi
from trove.objects import catalog, errors
from trove.providers.local.images.manifest import ImageError
from trove.providers.local.images.store import Images

#: id, name, vcpus, memory in MiB, disk in GiB. Ids are plain numbers, as in a cloud's own small set.
FLAVORS = (
    ("1", "db.tiny", 1, 512, 5),
    ("2", "db.small", 1, 1024, 10),
    ("3", "db.medium", 2, 2048, 20),
    ("4", "db.large", 2, 4096, 40),
    ("5", "db.xlarge", 4, 8192, 80),
)


@dataclass(frozen=True)
class Available:
    """An engine version that instances can be made of; ``image`` is the name of the image it lies in, if any."""

    installation: spi.EngineInstallation
    image: str | None = None

    @property
    def source(self) -> str:
        return f"image {self.image}" if self.image else self.installation.source


def seed(session: Session, plugins: Mapping[str, spi.Plugin], images: Images | None = None) -> list[str]:
    """Register every engine found on this host or in its images, and the flavors; return one line for each.

    A version that is found twice is taken from the host, else from the image that was built last. An engine that is no
    longer found is deactivated: its instances stay, new ones cannot be made. The newest version of each datastore
    becomes its default, unless the present default is still available.
    """
    roots, lines = _usable(images)
    for name, plugin in sorted(plugins.items()):
        found = find(plugin, roots)
        known = _known_versions(session, name)
        kept_default = next((v.version for v in known if v.is_default and v.version in found), None)
        default = kept_default or next(iter(found), None)
        for version, available in found.items():
            _register(session, name, available, default=version == default)
            lines.append(f"datastore {name} {version} ({available.source})")
        for row in known:
            if (row.engine_home or row.root_image) and row.version not in found and row.active:
                row.assign({"active": False})
                row.save(session)
                lines.append(f"datastore {name} {row.version} is no longer installed: deactivated")
    for flavor_id, name, vcpus, ram_mib, disk_gib in FLAVORS:
        catalog.register_flavor(session, id=flavor_id, name=name, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
        lines.append(f"flavor {flavor_id} {name}")
    return lines


def find(plugin: spi.Plugin, images: Mapping[str, Images]) -> dict[str, Available]:
    """Return ``{version: where it is}``, newest first.

    :param images: the images to look into, in order of preference: ``{name: where it is}``.
    """
    found: dict[str, Available] = {}
    for available in _all(plugin, images):
        found.setdefault(available.installation.version, available)
    return dict(sorted(found.items(), key=lambda item: _version_key(item[0]), reverse=True))


def _all(plugin: spi.Plugin, images: Mapping[str, Images]) -> Iterator[Available]:
    for installation in plugin.detect():
        yield Available(installation)
    for name, store in images.items():
        for installation in plugin.detect(store.root(name)):
            yield Available(installation, name)


def _usable(images: Images | None) -> tuple[dict[str, Images], list[str]]:
    """Return the complete images, last built first, and a line for each that is not."""
    usable: list[tuple[str, str]] = []
    lines: list[str] = []
    for entry in images.entries() if images else ():
        if entry.manifest is None:
            lines.append(f"image {entry.name} {entry.problem}")
        elif images:
            try:
                images.root(entry.name)
                usable.append((entry.manifest.built_at, entry.name))
            except ImageError as err:
                lines.append(str(err))
    return {name: images for _, name in sorted(usable, reverse=True) if images}, lines


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _known_versions(session: Session, name: str) -> Sequence[catalog.DatastoreVersion]:
    try:
        datastore = catalog.Datastore.get_by_name_or_id(session, name)
    except errors.DatastoreNotFound:
        return []
    return list(catalog.DatastoreVersion.list(session, datastore_id=datastore.id))


def _register(session: Session, name: str, available: Available, *, default: bool) -> None:
    installation = available.installation
    catalog.register_version(
        session,
        datastore=name,
        name=installation.version,
        version=installation.version,
        manager=name,
        engine_home=str(installation.home),
        root_image=available.image,
        active=True,
        default=default,
    )
