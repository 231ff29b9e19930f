# SPDX-License-Identifier: Apache-2.0
"""The manifest of an image: what was asked for, what was installed, and how to prove that nothing has changed."""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "manifest.json"
FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class ImageError(Exception):
    """An image cannot be used or made; the text is for the operator and says what to do."""


@dataclass(frozen=True)
class Engine:
    """One engine inside: the datastore plugin that knows it, its version, its home inside the root file system."""

    manager: str
    version: str
    home: str


@dataclass(frozen=True)
class Manifest:
    """See the module's docstring.

    :ivar sources: where the packages came from, in the words of sources.list(5).
    :ivar packages: what was asked for.
    :ivar installed: every package that is inside, with its exact version.
    :ivar checksum: SHA-256 over paths, modes and contents of all files, see :mod:`.listing`.
    :ivar listing: the same without contents: quick to compute again.
    :ivar freshness_checked: false when the archive's signed index was accepted although it had expired.
    """

    name: str
    suite: str
    architecture: str
    sources: tuple[str, ...]
    packages: tuple[str, ...]
    installed: dict[str, str]
    engines: tuple[Engine, ...]
    checksum: str
    listing: str
    files: int
    bytes: int
    freshness_checked: bool
    built_at: str
    builder: str


def check_name(name: str) -> str:
    """Return ``name``, which becomes the name of a directory.

    :raises ImageError: when it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ImageError(
            f"'{name}' cannot be the name of an image: use up to 64 of a-z, 0-9, '.', '_' and '-', not beginning with "
            "a punctuation mark"
        )
    return name


def read(directory: Path) -> Manifest:
    """Read the manifest in ``directory``.

    :raises FileNotFoundError: when there is none: the image is not complete.
    :raises ImageError: when it cannot be understood.
    """
    try:
        document: dict[str, Any] = json.loads((directory / FILE).read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise ImageError(f"{directory / FILE} was written by another release; build the image again")
        engines = tuple(Engine(**engine) for engine in document.pop("engines"))
        for key in ("sources", "packages"):
            document[key] = tuple(document[key])
        return Manifest(engines=engines, **document)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise ImageError(f"{directory / FILE} is damaged; remove the image and build it again") from err


def write(directory: Path, manifest: Manifest) -> None:
    """Write the manifest, durable when the function returns."""
    with open(directory / FILE, "w", encoding="utf-8") as stream:
        json.dump({"format": FORMAT, **asdict(manifest)}, stream, indent=1, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
