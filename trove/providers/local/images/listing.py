# SPDX-License-Identifier: Apache-2.0
"""A directory tree as one checksum that does not depend on the order, the owner or the times of its files.

Hashed is one line per entry, sorted by path: the path, type and permissions, and the size and SHA-256 of a file or the
target of a symbolic link. Names may hold anything, so fields end with NUL and lines with two. Without contents the hash
of a file is left out: that is quick (one lstat(2) each) and notices what is lost, added, truncated or re-permitted, but
not a changed byte.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listing:
    """``digest`` is ``sha256:<hex>``; ``bytes`` is what the files hold together."""

    digest: str
    files: int
    bytes: int


def compute(root: Path, *, contents: bool) -> Listing:
    """Walk the tree below ``root``.

    :raises OSError: when something cannot be read.
    """
    digest = hashlib.sha256()
    files = size = 0
    for path, found in _walk(os.fsencode(root), b""):
        kind = stat.S_IFMT(found.st_mode)
        fields = [path, b"%o" % found.st_mode]
        if kind == stat.S_IFREG:
            files += 1
            size += found.st_size
            fields.append(b"%d" % found.st_size)
            if contents:
                fields.append(_hash(os.path.join(os.fsencode(root), path)))
        elif kind == stat.S_IFLNK:
            fields.append(os.readlink(os.path.join(os.fsencode(root), path)))
        digest.update(b"\0".join(fields) + b"\0\0")
    return Listing(f"sha256:{digest.hexdigest()}", files, size)


def _walk(root: bytes, below: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    with os.scandir(os.path.join(root, below)) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = os.path.join(below, entry.name)
        yield path, entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, path)


def _hash(path: bytes) -> bytes:
    with open(path, "rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().encode()
