# SPDX-License-Identifier: Apache-2.0
"""Look into a root file system of another machine without entering it.

An engine may come from an image: a directory that holds the ``/`` of another distribution. Its symbolic links mean what
they say *inside*, so ``Path(root, "etc/alternatives/x").resolve()`` would leave the image and end on this host. The
functions here resolve as chroot(2) would. Only files are looked at; nothing is run.
"""

import os
from pathlib import Path

#: As many as Linux follows, see path_resolution(7).
_MAX_LINKS = 40


def inside(path: Path, root: Path = Path("/")) -> Path:
    """Return the real path, as seen inside ``root``, of ``path``, which is seen inside ``root`` as well.

    :param path: absolute; what does not exist is taken as it is.
    :raises OSError: for a loop of symbolic links.
    """
    done = Path("/")
    todo = list(path.parts[1:])
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done.parent
            continue
        try:
            target = Path(os.readlink(root / (done / part).relative_to("/")))
        except OSError:
            done /= part
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(f"too many symbolic links at {path} in {root}")
        if target.is_absolute():
            done = Path("/")
        todo = [piece for piece in target.parts if piece != "/"] + todo
    return done


def on_host(path: Path, root: Path | None) -> Path:
    """Return where this host finds the file that is called ``path`` inside ``root``; ``None`` is the host's own ``/``.

    :raises OSError: for a loop of symbolic links.
    """
    return path if root is None else root / inside(path, root).relative_to("/")
