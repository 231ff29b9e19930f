# SPDX-License-Identifier: Apache-2.0
"""What a guest can tell the control plane. Who tells it comes from the envelope, never from a field here."""

from typing import Annotated, Any

import msgspec

from trove.domain import instance_states
from trove.wire import base

#: Bytes of a command's result, as JSON.
MAX_RESULT_BYTES = 64 * 1024


class Report(base.Message, frozen=True, kw_only=True):
    """Base of all reports; ``report_id`` is what an acknowledgement names."""

    report_id: base.Identifier


class Enrol(Report, frozen=True, kw_only=True):
    """First words of a guest, sealed under the one-time key: half of an X25519 exchange (RFC 7748)."""

    name = "enrol"
    public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    agent_version: base.ShortText
    handler_version: base.ShortText
    protocol_min: base.Count
    protocol_max: base.Count
    #: Commands this agent can handle, as in :class:`Hello`; when it says so, it gets what waits for it at once.
    commands: base.Versions = msgspec.field(default_factory=dict)


class Hello(Report, frozen=True, kw_only=True):
    """An agent (re)started under its real keys; the first use of them completes the enrolment."""

    name = "hello"
    agent_version: base.ShortText
    handler_version: base.ShortText
    protocol_min: base.Count
    protocol_max: base.Count
    #: Commands this agent can handle, as {name: [versions]}.
    commands: base.Versions


class Heartbeat(Report, frozen=True, kw_only=True):
    """Sent at a fixed interval, in a poll where there are polls, and at each change of the service status; not
    acknowledged."""

    name = "heartbeat"
    #: One of :data:`SERVICE_STATUSES`, or a word of a later release.
    service_status: base.Word
    reason: base.ShortText | None = None
    agent_version: base.ShortText
    handler_version: base.ShortText
    protocol_min: base.Count = 1
    protocol_max: base.Count = 1
    volume_used_bytes: base.Count | None = None
    volume_total_bytes: base.Count | None = None
    wal_bytes: base.Count | None = None


class CommandResult(Report, frozen=True, kw_only=True):
    """How far a command has come. ``log_tail`` holds the guest's last log lines when it failed.

    :ivar state: ``ACCEPTED``, ``DONE`` or ``FAILED``. Another word, of a later release, is no end.
    """

    name = "command_result"
    command_id: base.Identifier
    state: base.Word
    result: dict[str, Any] | None = None
    error_symbol: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[a-z0-9_.]+\Z")] | None = None
    error_message: base.ShortText | None = None
    log_tail: base.LongText | None = None

    def __post_init__(self) -> None:
        if self.result and len(msgspec.json.encode(self.result)) > MAX_RESULT_BYTES:
            raise ValueError(f"Expected `object` of at most {MAX_RESULT_BYTES} bytes for `result`")


class InventoryDatabase(msgspec.Struct, frozen=True, kw_only=True):
    name: base.ShortText
    character_set: base.ShortText | None = None
    collate: base.ShortText | None = None


class InventoryUser(msgspec.Struct, frozen=True, kw_only=True):
    name: base.ShortText
    host: base.ShortText = "%"
    databases: Annotated[list[base.ShortText], msgspec.Meta(max_length=1000)]


class Inventory(Report, frozen=True, kw_only=True):
    """All databases and users of the engine, without its own; sent after each change and at an interval."""

    name = "inventory"
    max_bytes = 1024 * 1024  # as large as an envelope
    databases: Annotated[list[InventoryDatabase], msgspec.Meta(max_length=10000)]
    users: Annotated[list[InventoryUser], msgspec.Meta(max_length=10000)]
    root_enabled: bool


class LogFact(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest knows of one log.

    :ivar type: ``USER`` or ``SYS``; a log of another type, of a later release, is not shown.
    :ivar file: name of its file, for people; ``None`` when there is none.
    :ivar enabled: whether the engine writes it; ``None`` for one that is always written.
    :ivar restart_required: whether it was switched and the engine has not started since.
    :ivar size: bytes in its files.
    :ivar position: up to where it was published, as the guest remembers.
    :ivar pending: bytes behind :attr:`position`.
    :ivar rotated: whether :attr:`position` is gone.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+\Z")]
    type: base.Word
    file: base.ShortText | None = None
    enabled: bool | None = None
    restart_required: bool = False
    size: base.Count
    position: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    pending: base.Count
    rotated: bool = False


class Logs(Report, frozen=True, kw_only=True):
    """All logs that can be published; sent when one has changed, though for sizes alone no more often than every few
    minutes."""

    name = "logs"
    logs: Annotated[list[LogFact], msgspec.Meta(max_length=32)]


class Poll(Report, frozen=True, kw_only=True):
    """Asks the gateway for commands, waiting up to ``wait`` seconds for one; not acknowledged.

    A poll is also a heartbeat when it has one. A gateway that read it says so in its answer
    (:data:`trove.guestbus.framing.HEARTBEAT_HEADER`); an earlier release ignores the field.
    """

    name = "poll"
    wait: Annotated[float, msgspec.Meta(ge=0, le=60)]
    heartbeat: Heartbeat | None = None


TO_CONTROL: dict[tuple[str, int], type[Report]] = {
    (cls.name, cls.version): cls for cls in (Enrol, Hello, Heartbeat, CommandResult, Inventory, Logs, Poll)
}

#: Service statuses a guest may report, see :mod:`trove.domain.instance_states`.
SERVICE_STATUSES = instance_states.REPORTABLE_SERVICE_STATUSES
