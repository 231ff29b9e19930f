# SPDX-License-Identifier: Apache-2.0
"""Which code is installed: what a service that runs was started with, and what is there now, may be two things."""

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import trove


def digest() -> str:
    """Return what differs when other code is installed: the interpreter, Trove's own files, the versions of packages.

    By content, not by time: a checkout that was only touched, or moved back and forth, is the same code. Takes some
    20 ms.
    """
    found = hashlib.sha256(sys.version.encode())
    root = os.path.dirname(os.path.abspath(trove.__file__))
    for path in _files(root):
        found.update(os.path.relpath(path, root).encode() + b"\0")
        found.update(hashlib.sha256(Path(path).read_bytes()).digest())
    for name in sorted(_packages()):
        found.update(name.encode() + b"\0")
    return found.hexdigest()[:32]


def _files(root: str) -> Iterator[str]:
    for directory, below, files in os.walk(root):
        below[:] = sorted(name for name in below if name not in ("__pycache__", "tests"))
        yield from (os.path.join(directory, name) for name in sorted(files) if not name.endswith(".pyc"))


def _packages() -> set[str]:
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return {name for place in places if os.path.isdir(place) for name in os.listdir(place) if ".dist-info" in name}
