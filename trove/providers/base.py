# SPDX-License-Identifier: Apache-2.0
"""What flows may ask of the outside world.

Rules for every provider, tested by one contract suite (``trove/tests/contract/providers``):

* everything carries a tag (:func:`trove.common.ids.instance_tag`); ``ensure_*`` looks for the tag first and adopts
  what it finds;
* ``find_*`` and ``list`` never change anything;
* ``ensure_*`` and ``remove_*`` are safe to repeat, also after a lost reply; removing what is absent is success;
* nothing waits: what takes time is reported by :class:`Status` and asked again later;
* specs and results are frozen dataclasses in our own words, never a library's objects;
* errors are exactly the classes below.
"""

import datetime
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from trove.domain.shape import Shape

#: Methods of :class:`Provider` that only look. Every other one changes something.
LOOKING = frozenset({"find_port", "find_volume", "find_server", "list"})
#: Characters of the longest marker that a provider may answer with.
MAX_MARKER = 240


class ProviderError(Exception):
    """Base of provider errors; ``symbol`` is stable, the text is for the operator."""

    symbol = "provider.error"


class NotFoundError(ProviderError):
    """What was asked for does not exist and could not be made (an image, a network)."""

    symbol = "provider.not_found"


class ConflictError(ProviderError):
    """Something in the way has another owner or another state; repeating will not help."""

    symbol = "provider.conflict"


class QuotaError(ProviderError):
    """The provider's own quota or capacity is used up."""

    symbol = "provider.quota"


class RetryableError(ProviderError):
    """Something passing (a time-out, a lost reply); the same call may succeed later."""

    symbol = "provider.unavailable"


class FatalError(ProviderError):
    """The provider refuses for good."""

    symbol = "provider.fatal"


class NotMineError(ProviderError):
    """What was asked about is held by another provider, or by the one of another host: only a process there can tell
    whether it exists, and act on it."""

    symbol = "provider.not_mine"


class Status(enum.Enum):
    """How far a thing has come."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class PortSpec:
    """An address for one server. ``port`` is the engine's standard TCP port.

    :ivar network: id of the network; ``None``: the provider's own choice. ``subnet`` and ``address`` narrow it down.
        Needs :attr:`Capability.NETWORKS`, except for the id of the only network where there is one.
    """

    tag: str
    port: int
    network: str | None = None
    subnet: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class Access:
    """Who may reach a port: whether it has a public address, and from which networks it takes connections.

    :ivar is_public: means nothing where there is only one network, which has no outside.
    """

    is_public: bool = False
    #: In CIDR notation; empty means from everywhere.
    allowed_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Port:
    """An address in force: ``port`` is where the engine must listen, which may differ from the standard one."""

    tag: str
    id: str
    address: str
    port: int
    network: str | None = None
    public_address: str | None = None


@dataclass(frozen=True)
class ServerGroup:
    """Servers that are placed by one ``policy``: affinity, anti-affinity, soft-affinity or soft-anti-affinity. It is
    made with the first server that names it."""

    tag: str
    policy: str


@dataclass(frozen=True)
class VolumeSpec:
    """A data volume. ``ensure_volume`` with a larger size grows an existing one; it never shrinks."""

    tag: str
    size_gib: int
    type: str | None = None


@dataclass(frozen=True)
class Volume:
    tag: str
    id: str
    size_gib: int
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class ServerSpec:
    """A server that runs one guest agent.

    :ivar flavor_id: id of the flavor that ``shape`` was copied from, for a provider that knows flavors itself.
    :ivar project_id: whose instance it is.
    :ivar image: what the provider boots (an image id); ``None`` where the host itself is the image.
    :ivar engine_home: directory with the engine's programs, for providers that run guests on this host.
    :ivar root_image: name of a root file system of such a provider, in which the engine runs and ``engine_home`` is
        meant.
    :ivar availability_zone: where to place it. Needs :attr:`Capability.AVAILABILITY_ZONES`.
    :ivar group: what to place it with, or apart from. Needs :attr:`Capability.SERVER_GROUPS`.
    :ivar bootstrap: the JSON document of :class:`trove.wire.bootstrap.Bootstrap`; holds a secret, never logged, and
        only used when the server is made. Providers fill in what only they know (directories) before they hand it on.
    """

    tag: str
    name: str
    shape: Shape
    port_tag: str
    volume_tag: str
    datastore_manager: str
    flavor_id: str | None = None
    project_id: str | None = None
    image: str | None = None
    engine_home: str | None = None
    root_image: str | None = None
    availability_zone: str | None = None
    group: ServerGroup | None = None
    bootstrap: bytes = field(default=b"", repr=False)
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Server:
    tag: str
    id: str
    shape: Shape
    status: Status
    detail: str = ""


class Kind(enum.StrEnum):
    """Kinds of things that carry a tag."""

    PORT = "port"
    SERVER = "server"
    SERVER_GROUP = "server_group"
    VOLUME = "volume"


@dataclass(frozen=True)
class Found:
    """One thing in a listing.

    :ivar kind: a value of :class:`Kind`.
    :ivar created_at: naive UTC by the provider's clock; ``None`` where it does not tell.
    :ivar detail: what helps an operator to find it (a host, a size, a directory).
    """

    kind: str
    tag: str
    id: str
    created_at: datetime.datetime | None = None
    detail: str = ""


@dataclass(frozen=True)
class Page:
    """Part of a listing.

    :ivar items: ordered by kind and tag.
    :ivar marker: what to ask with for the next page, at most :data:`MAX_MARKER` characters; ``None``: this is the last.
    """

    items: tuple[Found, ...]
    marker: str | None


def page_of(found: Iterable[Found], marker: str | None, limit: int) -> Page:
    """Return a page of things that are all at hand.

    The marker is the place of the last item, not its number: what comes or goes between two pages neither hides nor
    doubles anything else.

    :raises ValueError: for a marker that is none.
    """
    after = ("", "")
    if marker is not None:
        kind, separator, tag = marker.partition(" ")
        if not separator:
            raise ValueError(f"{marker!r} is not a marker of a page")
        after = (kind, tag)
    later = sorted((item for item in found if (item.kind, item.tag) > after), key=lambda item: (item.kind, item.tag))
    items = tuple(later[:limit])
    return Page(items, f"{items[-1].kind} {items[-1].tag}" if len(later) > limit else None)


class Capability(enum.Enum):
    """What not every provider can do; steps ask before they need it."""

    RESIZE_SERVER_ONLINE = "resize-server-online"
    GROW_VOLUME_ONLINE = "grow-volume-online"
    VOLUME_TYPES = "volume-types"
    REAL_VOLUME_SIZE = "real-volume-size"
    REBOOT_SERVER = "reboot-server"
    MIGRATE_SERVER = "migrate-server"
    NETWORKS = "networks"
    PUBLIC_ADDRESSES = "public-addresses"
    ACCESS_RULES = "access-rules"
    AVAILABILITY_ZONES = "availability-zones"
    SERVER_GROUPS = "server-groups"


@runtime_checkable
class Provider(Protocol):
    """One cloud, or one host. All methods may raise any :class:`ProviderError` and are called from several threads.

    :ivar host: name of the host that everything of this provider is on, which never changes; ``None``: it is within
        reach from every host.
    :ivar poll_interval: seconds between two looks at something that takes time.
    """

    name: str
    capabilities: frozenset[Capability]
    host: str | None
    poll_interval: float

    def list(self, prefix: str, marker: str | None = None, limit: int = 1000) -> Page:
        """Return what exists with a tag that begins with ``prefix``, a page at a time, ordered by kind and tag.

        What is there from the first page to the last is listed once; what comes or goes meanwhile may be or not. What
        is being made or removed is there as long as it could be found. Things without a tag of ours never are.

        :param marker: of the page before; ``None``: from the beginning.
        :param limit: items at most, from 1.
        """

    def find_port(self, tag: str) -> Port | None: ...

    def ensure_port(self, spec: PortSpec) -> Port: ...

    def set_access(self, tag: str, access: Access) -> Port:
        """Let exactly these reach the port. Safe to repeat. Connections that exist may go on. Needs
        :attr:`Capability.ACCESS_RULES`, and :attr:`Capability.PUBLIC_ADDRESSES` for a public one where there is more
        than one network.

        :raises NotFoundError: when no port has the tag.
        :raises FatalError: when the provider cannot do that for this port.
        """

    def remove_port(self, tag: str) -> None: ...

    def find_volume(self, tag: str) -> Volume | None: ...

    def ensure_volume(self, spec: VolumeSpec) -> Volume: ...

    def remove_volume(self, tag: str) -> None:
        """Remove the volume and all data on it. Refused with :class:`ConflictError` while a server uses it."""

    def find_server(self, tag: str) -> Server | None: ...

    def ensure_server(self, spec: ServerSpec) -> Server:
        """Make the server or adopt the one with this tag. An adopted server keeps its shape and bootstrap document.

        :raises NotFoundError: when its port or volume does not exist.
        :raises RetryableError: while the server with this tag is being removed.
        """

    def resize_server(
        self, tag: str, shape: Shape, *, flavor_id: str | None = None, project_id: str | None = None
    ) -> Server:
        """Give the server another shape. Safe to repeat; PENDING while the provider is at it.

        :param flavor_id: see :class:`ServerSpec`, as for ``project_id``.
        :raises NotFoundError: when no server has the tag.
        """

    def remove_server(self, tag: str) -> bool:
        """Begin or go on removing the server; ``True`` once it is gone."""

    def remove_server_group(self, tag: str) -> None:
        """Remove the group of a server that was the last of it.

        :raises ConflictError: while a server is in it.
        """

    def restart_server(self, tag: str) -> Server:
        """Restart the machine, not only the engine. While the answer is PENDING, ask again with the same call; after
        READY, the same call restarts it again. Needs :attr:`Capability.REBOOT_SERVER`.

        :raises NotFoundError: when no server has the tag.
        """

    def migrate_server(self, tag: str, host: str | None) -> Server:
        """Move the server with its volume to another host, which restarts it. While the answer is PENDING, ask again
        with the same call; FAILED when it could not be moved, which leaves it where it was. Needs
        :attr:`Capability.MIGRATE_SERVER`.

        :param host: where to; a server that is there already is READY. ``None``: the provider chooses, at each call
            after READY again.
        :raises NotFoundError: when no server has the tag, or there is no such host.
        :raises FatalError: when the provider cannot move servers.
        """


@runtime_checkable
class OnThisHost(Protocol):
    """A provider whose servers are processes of this host, which a service may stop when it stops itself.

    :ivar left: what the last :meth:`halt` has not stopped, in words.
    """

    left: Sequence[str]

    def halt(self) -> bool:
        """End what runs without removing anything; ``True`` once nothing is left. Nobody may supervise meanwhile."""


@runtime_checkable
class Supervised(Protocol):
    """A provider with something to look after between calls; the taskmanagers call it every few seconds."""

    def supervise(self) -> None:
        """Bring back what should be there and is not. Safe to be called by several processes at a time; never waits."""
