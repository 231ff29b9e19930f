# SPDX-License-Identifier: Apache-2.0
"""The interface of an object store.

An object is named by the project that owns it, a container and a name. It is there as a whole or not at all: a write
that ends early leaves what was there before. Writing again replaces, removing what is absent is success, and whatever
the store cannot do now raises :class:`StoreUnavailable`, after which the same call may be repeated.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

#: Bytes of one piece of an object's content.
CHUNK_BYTES = 64 * 1024
#: The longest name of an object, in bytes of UTF-8; Swift's limit.
MAX_NAME_BYTES = 1024


class StoreError(Exception):
    """Base of this package's errors. Texts are for the operator and hold no content and no credentials."""


class ObjectNotFound(StoreError):
    """There is no such object."""


class StoreUnavailable(StoreError):
    """The store does not answer, or cannot take this now; try again later."""


class StoreRefused(StoreError):
    """The store refuses this for good: its configuration or our rights there are wrong."""


@dataclass(frozen=True)
class ObjectInfo:
    """What a store tells of an object.

    :ivar size: bytes.
    :ivar etag: MD5 of the content in hexadecimal digits.
    :ivar metadata: with keys in lower case; not filled in by a listing.
    """

    name: str
    size: int
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def check_name(name: str) -> None:
    """Refuse a name that some store could not take or would read as another one.

    :raises StoreRefused: unless it has 1 to :data:`MAX_NAME_BYTES` bytes, no NUL, and no part ``.`` or ``..``: HTTP
        clients resolve those as in a path.
    """
    if not 1 <= len(name.encode()) <= MAX_NAME_BYTES or "\x00" in name or {".", ".."} & set(name.split("/")):
        raise StoreRefused("an object's name has 1 to 1024 bytes, no NUL and no part '.' or '..'")


class ObjectStore(Protocol):
    """A store. Thread-safe. Every method may raise :class:`StoreUnavailable` and :class:`StoreRefused`."""

    def put(
        self,
        project_id: str,
        container: str,
        name: str,
        chunks: Iterable[bytes],
        *,
        metadata: Mapping[str, str] | None = None,
        expire_after: int | None = None,
    ) -> ObjectInfo:
        """Write an object, replacing one of that name; the container is made when it is missing.

        :param chunks: the content. What iterating raises is raised here, and nothing is written.
        :param metadata: keys of letters, digits and ``-``; values without control characters.
        :param expire_after: seconds after which the object is gone; ``None``: never.
        """

    def get(self, project_id: str, container: str, name: str) -> Iterator[bytes]:
        """Return the content, in pieces of at most :data:`CHUNK_BYTES`.

        :raises ObjectNotFound: at once, not at the first piece.
        """

    def head(self, project_id: str, container: str, name: str) -> ObjectInfo:
        """Return what is known of an object.

        :raises ObjectNotFound: when there is none.
        """

    def find(self, project_id: str, container: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Return the objects whose names begin with ``prefix``, ordered by name; none when there is no container."""

    def remove(self, project_id: str, container: str, name: str) -> None:
        """Remove an object; absence is success."""

    def sweep(self) -> int:
        """Remove what has expired, where the store does not do so itself; return how many. To be called about once an
        hour."""
