# SPDX-License-Identifier: Apache-2.0
"""Both neighbours of an agent, with a memory: an engine's handler and a control plane."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trove.common import ids
from trove.datastores import spi
from trove.guestbus import envelope, keys
from trove.guestbus.replay import Position
from trove.guestbus.transport import PeerRefused, TransportError
from trove.wire import base, command, report
from trove.wire.bootstrap import Bootstrap

INSTANCE = "11111111-2222-3333-4444-555555555555"
ONE_TIME_KEY = "5a" * 32


class Crash(BaseException):
    """The agent dies here: nothing catches it, as nothing catches SIGKILL."""


class FakeHandler:
    """An engine in memory. ``done`` is what is left behind: the commands that had an effect, in order."""

    version = "fake-1"

    def __init__(self) -> None:
        self.done: list[str] = []
        self.databases: list[str] = []
        self.status_word = "healthy"
        self.reason: str | None = None
        self.supervised = 0
        self.logs: list[Path] = []
        self.result: Mapping[str, Any] | None = None
        #: Called with a command's name in the middle of its work; may raise.
        self.during: Callable[[str], None] = lambda name: None
        self.inventory_error: Exception | None = None
        self.stopped = threading.Event()

    def commands(self) -> Mapping[str, Callable[[Any], Mapping[str, Any] | None]]:
        return {
            "prepare": self._plain,
            "create_databases": self._create_databases,
            "create_users": self._plain,
            "enable_root": self._plain,
            "grow_volume": self._plain,
            "restart": self._plain,
        }

    def _plain(self, order: command.Command) -> Mapping[str, Any] | None:
        self.during(order.name)
        self.done.append(order.name)
        return self.result

    def _create_databases(self, order: command.CreateDatabases) -> Mapping[str, Any] | None:
        for spec in order.databases:
            if spec.name not in self.databases:
                self.databases.append(spec.name)
        return self._plain(order)

    def status(self) -> spi.EngineStatus:
        return spi.EngineStatus(self.status_word, self.reason, wal_bytes=7)

    def inventory(self) -> spi.InventorySnapshot | None:
        if self.inventory_error is not None:
            raise self.inventory_error
        if self.status_word != "healthy":
            return None
        return spi.InventorySnapshot(databases=[report.InventoryDatabase(name=name) for name in self.databases])

    def supervise(self) -> None:
        self.supervised += 1

    def limit_logs(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.limit_logs`."""

    def log_files(self) -> Sequence[Path]:
        return self.logs


class FakeControl:
    """A control plane that is also its own transport: it opens, checks and answers envelopes as the real one does.

    ``reports`` holds what took effect, in order, without enrolments, hellos and polls.
    """

    needs_poll = True
    poll_after = 0.0
    heartbeat_taken = False
    #: Whether it knows the heartbeat in a poll; earlier releases do not.
    reads_heartbeats = True

    def __init__(self, instance_id: str = INSTANCE) -> None:
        self.instance_id = instance_id
        self.one_time: bytes | None = bytes.fromhex(ONE_TIME_KEY)
        self.master: bytes | None = None
        self.position = Position()
        self.reports: list[report.Report] = []
        self.heard: list[str] = []
        self.commands: list[command.CommandFrame] = []
        self.acknowledges = True
        #: Each entry decides about one exchange: "down", "lose_response", "refuse"; an empty list: all is well.
        self.faults: list[str] = []
        self.closed = False

    def exchange(self, data: bytes | None, wait: float) -> list[bytes]:
        fault = self.faults.pop(0) if self.faults else None
        if fault == "down":
            raise TransportError("down")
        if fault == "refuse" or data is None:
            raise PeerRefused("refused")
        answers = self._take(data)
        if fault == "lose_response":
            raise TransportError("the response is lost")
        return answers

    def close(self) -> None:
        self.closed = True

    def results(self) -> list[tuple[str, str, str | None]]:
        """Every command result that took effect, as (command id, state, symbol)."""
        return [
            (item.command_id, item.state, item.error_symbol)
            for item in self.reports
            if isinstance(item, report.CommandResult)
        ]

    def of(self, cls: type[report.Report]) -> list[Any]:
        """The reports of one type."""
        return [item for item in self.reports if isinstance(item, cls)]

    def send(self, order: command.Command, command_id: str | None = None, **fields: Any) -> str:
        """Have ``order`` delivered with the next poll; return its id."""
        frame = frame_of(order, command_id, **fields)
        self.commands.append(frame)
        return frame.id

    def _take(self, data: bytes) -> list[bytes]:
        claimed = envelope.peek(data)
        master = self.one_time if claimed.generation == keys.ONE_TIME else self.master
        if master is None:
            raise PeerRefused("no such key")
        try:
            header, body = envelope.open_envelope(data, master, instance_id=self.instance_id, direction=keys.TO_CONTROL)
        except envelope.EnvelopeError:
            raise PeerRefused("not yours") from None
        message = base.decode(report.TO_CONTROL, header.name, header.version, body)
        opens = isinstance(message, report.Enrol | report.Hello)
        after = self.position.accept(header.boot, header.sequence, opens=opens)
        if after is None:
            raise PeerRefused("replay, or not opened")
        self.position = after
        self.heard.append(header.name)
        return [self.seal(item, header.generation) for item in self._answers(message)]

    def _answers(self, message: report.Report) -> list[base.Message]:
        if isinstance(message, report.Enrol):
            exchange, guest = keys.ExchangeKey(), bytes.fromhex(message.public_key)
            assert self.one_time is not None
            self.master = exchange.agree(
                guest,
                one_time_key=self.one_time,
                guest=guest,
                control=exchange.public,
                instance_id=self.instance_id,
            )
            return [
                command.Enrolled(
                    public_key=message.public_key, peer_public_key=exchange.public.hex(), generation=keys.ENROLLED
                )
            ]
        self.one_time = None
        if isinstance(message, report.Poll):
            self.heartbeat_taken = self.reads_heartbeats and message.heartbeat is not None
            if self.heartbeat_taken and message.heartbeat is not None:
                self.reports.append(message.heartbeat)
            frames, self.commands = self.commands, []
            return list(frames)
        if not isinstance(message, report.Hello):
            self.reports.append(message)
        if isinstance(message, report.Heartbeat) or not self.acknowledges:
            return []
        return [command.Acknowledge(report_ids=[message.report_id])]

    def seal(self, message: base.Message, generation: int = keys.ENROLLED) -> bytes:
        """Return ``message`` in an envelope to the guest."""
        master = self.one_time if generation == keys.ONE_TIME else self.master
        assert master is not None
        header = envelope.Header(
            instance_id=self.instance_id,
            direction=keys.TO_GUEST,
            boot=0,
            sequence=0,
            message_id=ids.new_id(),
            name=message.name,
            version=message.version,
            sent_at=1_000_000,
            not_after=2_000_000,
            generation=generation,
        )
        return envelope.seal(header, message.to_wire(), master)


def frame_of(order: command.Command, command_id: str | None = None, **fields: Any) -> command.CommandFrame:
    """Return ``order`` as it travels."""
    return command.CommandFrame(
        id=command_id or ids.new_id(),
        command=order.name,
        command_version=order.version,
        args=order.to_wire(),
        **fields,
    )


def document(directory: Path, **fields: Any) -> Bootstrap:
    """Return a bootstrap document whose directories lie below ``directory``."""
    values: dict[str, Any] = {
        "instance_id": INSTANCE,
        "datastore_manager": "fake",
        "datastore_version": "1",
        "transport": "gateway",
        "endpoint": "http://127.0.0.1:1",
        "one_time_key": ONE_TIME_KEY,
        "data_dir": str(directory / "data"),
        "state_dir": str(directory / "state"),
    }
    values.update(fields)
    for name in ("data_dir", "state_dir"):
        Path(values[name]).mkdir(exist_ok=True)
    return Bootstrap(**values)
