# SPDX-License-Identifier: Apache-2.0
"""Logs that an instance's guest keeps: what state each is in, and what a request on one amounts to.

Pure: the guest reports facts, the control plane knows how much was published, and :func:`status` joins the two into
the word that clients read. :func:`plan` turns the switches of a request into what is to be done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The owner switches it and may publish it.
USER = "USER"
#: Always written, and the operator's unless an option exposes it.
SYS = "SYS"

#: Name of the agent's own log.
AGENT = "guest"

#: The engine does not write it.
DISABLED = "Disabled"
#: The engine writes it, and nothing is in it yet.
ENABLED = "Enabled"
#: It should be written, and there is no file.
UNAVAILABLE = "Unavailable"
#: There is something in it, and nothing of it was published.
READY = "Ready"
#: All of it was published.
PUBLISHED = "Published"
#: A part of it was published.
PARTIAL = "Partial"
#: What was published last is no longer among its files; the next publication starts anew.
ROTATED = "Rotated"
#: It was switched, which counts from the engine's next start on.
RESTART_REQUIRED = "Restart Required"
#: That start has happened.
RESTART_COMPLETED = "Restart Completed"

STATUSES = (
    DISABLED,
    ENABLED,
    UNAVAILABLE,
    READY,
    PUBLISHED,
    PARTIAL,
    ROTATED,
    RESTART_REQUIRED,
    RESTART_COMPLETED,
)
_AFTER_RESTART = frozenset({RESTART_REQUIRED, RESTART_COMPLETED})


@dataclass(frozen=True)
class Facts:
    """What is known of one log.

    :ivar enabled: whether the engine writes it; ``None`` for one that is always written.
    :ivar size: bytes in its files.
    :ivar published: bytes published since the last discarding.
    :ivar pending: bytes in its files that were not published.
    :ivar rotated: whether the place up to which it was published is gone.
    """

    enabled: bool | None
    restart_required: bool
    size: int
    published: int
    pending: int
    rotated: bool


def status(before: str | None, facts: Facts) -> str:
    """Return the status of a log that had the status ``before`` (``None``: it was unknown)."""
    if facts.restart_required:
        return RESTART_REQUIRED
    if facts.enabled is False:
        return DISABLED
    if facts.rotated:
        return ROTATED
    if facts.published:
        return PARTIAL if facts.pending else PUBLISHED
    if before in _AFTER_RESTART:
        return RESTART_COMPLETED
    if facts.size:
        return READY
    return UNAVAILABLE if facts.enabled is None else ENABLED


@dataclass(frozen=True)
class Change:
    """What a request on a log amounts to, in this order.

    :ivar enabled: switch it on or off; ``None``: leave it.
    :ivar discard: remove what was published.
    :ivar publish: publish what is pending.
    """

    enabled: bool | None = None
    discard: bool = False
    publish: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the request only wants to see the log."""
        return self.enabled is None and not self.discard and not self.publish


def plan(log_type: str, wanted: Mapping[str, bool]) -> Change | str:
    """Return what ``wanted`` (of ``enable``, ``disable``, ``publish``, ``discard``) amounts to, or why it cannot be.

    Publishing and discarding enable a log that the owner can switch, unless it is to be disabled: then it is switched
    off first, and what it has is published.
    """
    enable, disable = wanted.get("enable", False), wanted.get("disable", False)
    publish, discard = wanted.get("publish", False), wanted.get("discard", False)
    if enable and disable:
        return "'enable' and 'disable' exclude each other; send one of them"
    if log_type != USER:
        if enable or disable:
            return "a log of type SYS is always written and cannot be enabled or disabled; only publish or discard it"
        return Change(None, discard, publish)
    on = True if enable or publish or discard else None
    return Change(False if disable else on, discard, publish)


#: An object counts for at least so many bytes: a store needs about as many for the smallest.
MIN_OBJECT_BYTES = 4096
UNLIMITED = -1


@dataclass(frozen=True)
class Use:
    """Bytes that published logs take, or may still take under a ticket: of one instance, and of its whole project."""

    instance: int
    project: int


@dataclass(frozen=True)
class Limits:
    """Most bytes that one publication may add, and that the published logs of one instance and of one project may take;
    :data:`UNLIMITED` for the last two."""

    publication: int
    instance: int
    project: int


def cost(size: int) -> int:
    """Return what an object of ``size`` bytes counts for."""
    return max(size, MIN_OBJECT_BYTES)


def allowance(used: Use, limits: Limits) -> int:
    """Return how many bytes a publication may add; 0 when there is no room for even the smallest object."""
    rooms = [limit - taken for _, taken, limit in _each(used, limits) if limit != UNLIMITED]
    most = min([limits.publication, *rooms])
    return most if most >= MIN_OBJECT_BYTES else 0


def refusal(used: Use, limits: Limits) -> str:
    """Return why :func:`allowance` is 0, as a sentence that names the limit."""
    for whose, taken, limit in _each(used, limits):
        if limit != UNLIMITED and limit - taken < MIN_OBJECT_BYTES:
            return (
                f"The published logs of this {whose} take {taken} bytes of the {limit} that it may have; discard "
                "published logs, or wait until older ones expire."
            )
    return "The service lets no publication add anything; ask the operator."


def _each(used: Use, limits: Limits) -> Sequence[tuple[str, int, int]]:
    return ("instance", used.instance, limits.instance), ("project", used.project, limits.project)


def prefix(instance_id: str, manager: str, name: str) -> str:
    """Return how the names of a log's published objects begin."""
    return f"{instance_id}/{manager}-{name}/"


def metafile(instance_id: str, manager: str, name: str) -> str:
    """Return the name of the object that tells clients of a published log."""
    return f"{instance_id}/{manager}-{name}_metafile"


def object_name(name_prefix: str, started: str, number: int) -> str:
    """Return the name of the ``number``-th object of a publication; names sort in the order of the lines in them.

    :param started: time of the publication in ISO 8601.
    """
    return f"{name_prefix}log-{started}.{number:06d}"
