# SPDX-License-Identifier: Apache-2.0
"""Where the programs of a datastore version are, for providers that run guests on this host.

The programs are found by looking at files: those of the host's distribution, Python packages, and images of the local
provider. A version that an operator makes, with whatever number it has, is joined to the engine that fits it here:
the one of exactly this number, else the newest of its series. A provider that boots images needs none of that.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oslo_config import cfg

from trove.common import exception
from trove.datastores import spi
from trove.objects.catalog import DatastoreVersion
from trove.providers.local import images as local_images
from trove.providers.local.images.manifest import ImageError
from trove.providers.local.images.store import Images

#: The provider whose engines this module finds.
LOCAL = "local"


class EngineMissing(exception.BadRequest):
    """The version names an image, and the provider runs engines of this host, where none fits."""

    symbol = "datastore_version.no_engine"

    def __init__(self, version: DatastoreVersion) -> None:
        super().__init__(
            f"Version '{version.name}' of datastore '{version.datastore_name}' cannot be ordered: no engine with the "
            f"number {version.version} was found on the host that runs instances. Choose another version, or ask the "
            f"operator to install the engine and to update the version."
        )


@dataclass(frozen=True)
class Available:
    """An engine version that instances can be made of; ``image`` is the name of the image it lies in, if any."""

    installation: spi.EngineInstallation
    image: str | None = None

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        return f"image {self.image}" if self.image else self.installation.source

    def columns(self) -> dict[str, str | None]:
        """Return what is stored of it with a version."""
        return {"engine_home": str(self.installation.home), "root_image": self.image}


def locate(conf: cfg.ConfigOpts, plugin: spi.Plugin, number: str) -> Available | None:
    """Return the engine on this host that fits a version ``number``; ``None`` when there is none, or when the
    configured provider has no use for it."""
    if conf.provider != LOCAL:
        return None
    directory = local_images.directory(conf)
    roots, _problems = usable(Images(directory) if directory else None)
    return match(find(plugin, roots), number)


def match(found: Mapping[str, Available], number: str) -> Available | None:
    """Return what fits ``number``: ``16.4`` is itself, ``16`` is the newest of 16.

    :param found: by version, newest first.
    """
    exact = found.get(number)
    series = (available for version, available in found.items() if version.startswith(f"{number}."))
    return exact or next(series, None)


def require_engine(conf: cfg.ConfigOpts, version: DatastoreVersion) -> None:
    """Check that instances of ``version`` can be made of something.

    :raises EngineMissing: when the version came with an image of a cloud and the provider runs engines of this host.
    """
    named = version.image_id is not None or bool(version.image_tags)
    if conf.provider == LOCAL and named and not (version.engine_home or version.root_image):
        raise EngineMissing(version)


def find(plugin: spi.Plugin, images: Mapping[str, Images]) -> dict[str, Available]:
    """Return ``{version: where it is}``, newest first.

    :param images: the images to look into, in order of preference: ``{name: where it is}``.
    """
    found: dict[str, Available] = {}
    for available in _all(plugin, images):
        found.setdefault(available.installation.version, available)
    return dict(sorted(found.items(), key=lambda item: _version_key(item[0]), reverse=True))


def usable(images: Images | None) -> tuple[dict[str, Images], list[str]]:
    """Return the complete images, last built first, and a line for each that is not."""
    complete: list[tuple[str, str]] = []
    lines: list[str] = []
    for entry in images.entries() if images else ():
        if entry.manifest is None:
            lines.append(f"image {entry.name} {entry.problem}")
        elif images:
            try:
                images.root(entry.name)
                complete.append((entry.manifest.built_at, entry.name))
            except ImageError as err:
                lines.append(str(err))
    return {name: images for _, name in sorted(complete, reverse=True) if images}, lines


def _all(plugin: spi.Plugin, images: Mapping[str, Images]) -> Iterator[Available]:
    for installation in plugin.detect():
        yield Available(installation)
    for name, store in images.items():
        for installation in plugin.detect(store.root(name)):
            yield Available(installation, name)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
