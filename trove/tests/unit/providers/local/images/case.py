# SPDX-License-Identifier: Apache-2.0
"""An image without a distribution: a few files with a true manifest."""

from pathlib import Path
from typing import Any

from trove.providers.local.images import listing
from trove.providers.local.images import manifest as manifests
from trove.providers.local.images.manifest import Manifest
from trove.providers.local.images.store import ROOT


def make_tree(root: Path) -> None:
    """Fill a root file system."""
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/engine").write_bytes(b"program")
    (root / "usr/bin/engine").chmod(0o755)
    (root / "bin").symlink_to("usr/bin")
    (root / "odd\nname").write_bytes(b"")


def make_image(directory: Path, name: str, **changes: Any) -> Manifest:
    """Make a complete image in ``directory``."""
    root = directory / name / ROOT
    make_tree(root)
    full, quick = listing.compute(root, contents=True), listing.compute(root, contents=False)
    values: dict[str, Any] = {
        "name": name,
        "suite": "trixie",
        "architecture": "amd64",
        "sources": ("deb https://mirror.example/debian trixie main",),
        "packages": ("engine",),
        "installed": {"engine": "1.2-3"},
        "engines": (manifests.Engine("tiny", "1.2", "/usr"),),
        "checksum": full.digest,
        "listing": quick.digest,
        "files": full.files,
        "bytes": full.bytes,
        "freshness_checked": True,
        "built_at": "2026-11-20T00:00:00Z",
        "builder": "mmdebstrap 1.3.5",
    }
    manifest = Manifest(**{**values, **changes})
    manifests.write(directory / name, manifest)
    return manifest
