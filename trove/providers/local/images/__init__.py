# SPDX-License-Identifier: Apache-2.0
"""Images: root file systems of other distributions, from which the local provider runs engines.

They are to this provider what Glance images are to a cloud: a datastore version names one. Below the image directory::

    <name>/rootfs/         the files; nobody writes there once the image is complete
    <name>/manifest.json   what is inside and how to prove it (:mod:`.manifest`); written last
    .building-<name>/      an image that is being built, or whose build was interrupted; never used
    .packages/             downloaded packages, kept so that the next build is quick; may be deleted at any time

An image appears under its name by one rename, complete, and is never changed afterwards: another content is another
name. :mod:`.store` finds and proves images, :mod:`.build` makes them.
"""

from pathlib import Path
from typing import Any


def directory(conf: Any) -> Path | None:
    """Return the configured image directory: ``[local] image_dir``, else ``images`` below ``base_dir``; ``None`` when
    neither is set."""
    if conf.local.image_dir:
        return Path(conf.local.image_dir)
    return Path(conf.local.base_dir) / "images" if conf.local.base_dir else None
