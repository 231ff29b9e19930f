# SPDX-License-Identifier: Apache-2.0
"""A log as a row of files that are rotated while somebody publishes it.

How far a log was published is a *position*: which file, told by a digest of its first bytes, and how many bytes of it,
``<bytes digested>-<SHA-256>:<offset>``. The digest finds the file again after it was renamed or copied, so rotation
loses nothing as long as the file is kept; a log that was truncated, or whose file is gone, is published from the
beginning of what there is.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: Bytes of a file's head that tell it from others; logs have times in them.
HEAD_BYTES = 1024
_POSITION = re.compile(r"([0-9]{1,4})-([0-9a-f]{64}):([0-9]{1,19})\Z")
#: Bytes at the end of an object that are searched for the end of a line.
_SEARCHED = 64 * 1024
_BLOCK = 16 * 1024


class Truncated(Exception):
    """A file became shorter while it was read: it was rotated. Look at the files again."""


@dataclass(frozen=True)
class Segment:
    """A part of a log that is not published: from ``offset`` to ``size`` of one file."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True)
class Remainder:
    """What follows a position.

    :ivar lost: the position is gone, and :attr:`segments` begin anew.
    """

    segments: Sequence[Segment]
    lost: bool

    @property
    def size(self) -> int:
        """Bytes that are pending."""
        return sum(item.size - item.offset for item in self.segments)


def remainder(paths: Sequence[Path], position: str | None) -> Remainder:
    """Return what of the files ``paths`` (newest last) follows ``position``; files that are gone are passed over."""
    found = [(path, size) for path, size in ((path, _size(path)) for path in paths) if size]
    start = None if position is None else _find(found, position)
    if start is None:
        return Remainder([Segment(path, 0, size) for path, size in found], lost=position is not None)
    index, offset = start
    rest = [(*found[index], offset), *((path, size, 0) for path, size in found[index + 1 :])]
    return Remainder([Segment(path, begin, size) for path, size, begin in rest if begin < size], lost=False)


def total(paths: Sequence[Path]) -> int:
    """Return the bytes in the files ``paths``."""
    return sum(_size(path) for path in paths)


@dataclass
class Piece:
    """The next object of a segment, open for reading.

    :ivar after: the position behind it.
    """

    stream: BinaryIO
    start: int
    end: int
    after: str

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    def blocks(self) -> Iterator[bytes]:
        """Yield the content.

        :raises Truncated: when the file has become shorter.
        """
        self.stream.seek(self.start)
        left = self.size
        while left:
            block = self.stream.read(min(_BLOCK, left))
            if not block:
                raise Truncated
            left -= len(block)
            yield block


def next_piece(segment: Segment, limit: int) -> Piece:
    """Open the next at most ``limit`` bytes of ``segment``, up to the end of a line if there is one in reach. The
    caller closes its stream.

    :raises Truncated: when the file is gone or shorter than it was.
    """
    try:
        stream: BinaryIO = open(segment.path, "rb", buffering=0)  # noqa: SIM115  the piece keeps it
    except OSError:
        raise Truncated from None
    try:
        end = min(segment.offset + limit, segment.size)
        if os.fstat(stream.fileno()).st_size < end:
            raise Truncated
        if end < segment.size:
            from_here = max(segment.offset, end - _SEARCHED)
            stream.seek(from_here)
            line_end = (stream.read(end - from_here) or b"").rfind(b"\n")
            end = end if line_end < 0 else from_here + line_end + 1
        stream.seek(0)
        return Piece(stream, segment.offset, end, f"{_head(stream, min(end, HEAD_BYTES))}:{end}")
    except BaseException:
        stream.close()
        raise


def _find(found: Sequence[tuple[Path, int]], position: str) -> tuple[int, int] | None:
    """Return which file and which offset ``position`` means.

    The oldest file that fits counts: files that begin alike may be told apart only by what follows, and publishing
    something twice is better than not at all.
    """
    match = _POSITION.match(position)
    if match is None:
        return None
    length, digest, offset = int(match[1]), match[2], int(match[3])
    for index, (path, size) in enumerate(found):
        if size < offset or size < length:
            continue
        try:
            with open(path, "rb", buffering=0) as stream:
                if _head(stream, length) == f"{length}-{digest}":
                    return index, offset
        except (OSError, Truncated):
            continue
    return None


def _head(stream: BinaryIO, length: int) -> str:
    head = stream.read(length) or b""
    if len(head) < length:
        raise Truncated
    return f"{length}-{hashlib.sha256(head).hexdigest()}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
