# SPDX-License-Identifier: Apache-2.0
"""A guest that answers whatever the rows ask of it, through the conductor's own handlers.

It says everything twice, because guests may. It exists exactly as long as its server does.
"""

import datetime
import json
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from trove.common import exception, ids
from trove.conductor.outbox import Outbox
from trove.conductor.reports import Reports
from trove.db.api import Database
from trove.objects import guest_command, guest_identity
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.providers.base import Status
from trove.providers.fake import FakeProvider
from trove.wire import base, bootstrap, command, report
from trove.workflow.store import Store

#: What a command comes to: a state, and for FAILED a symbol.
Answer = tuple[str, str | None]


def does_all(_row: GuestCommand) -> Answer | None:
    """Succeed at everything."""
    return "DONE", None


class ScriptedGuest:
    """The guest of one instance.

    :ivar done: names of the commands executed, in order.
    :ivar values: of the configuration group that the engine runs with.
    :ivar ram_mib: the memory that the engine is configured for.
    :ivar decide: what a command comes to; ``None``: the guest does not answer this one.
    :ivar takes: whether it got what it does not answer.
    """

    def __init__(self, db: Database, store: Store, provider: FakeProvider, instance_id: str) -> None:
        self.done: list[str] = []
        self.ram_mib = 0
        self.values: dict[str, Any] = {}
        self.decide: Callable[[GuestCommand], Answer | None] = does_all
        self.takes = False
        self._db = db
        self._provider = provider
        self._id = instance_id
        self._reports = Reports(db, store)
        self._outbox = Outbox(
            db, store, resend_interval=10.0, wake=lambda _workflow_id: None, listening_since=float("-inf")
        )

    def answer(self) -> None:
        """Enrol if that has not happened, then do all commands that wait."""
        self._outbox.expire()
        tag = ids.instance_tag(self._id, "server")
        server = self._provider.resources()["server"].get(tag)
        if server is None or server.status is not Status.READY:
            return
        with self._db.writer() as session:
            try:
                identity = GuestIdentity.get(session, self._id, for_update=True)
            except exception.NotFound:
                return
            if identity.state == guest_identity.ISSUED:
                self._enrol(session, identity, self._provider.bootstrap(tag))
            for row in guest_command.pending(session, self._id, self._db.now(session), 100):
                self._do(session, identity, row)

    def _enrol(self, session: Session, identity: GuestIdentity, document: bytes) -> None:
        filled = bootstrap.fill(document, {"data_dir": "/d", "state_dir": "/s"})
        if json.loads(filled)["one_time_key"] != identity.keys["one_time"]:
            raise AssertionError("the server was made with another one-time key than the control plane has")
        identity.keys = {"one_time": identity.keys["one_time"], "master": "00" * 32}
        identity.state = guest_identity.EXCHANGING
        for _ in range(2):
            self._reports.hello(session, identity, _hello())
        identity.save(session)

    def say(self, row: GuestCommand, answer: Answer) -> None:
        """Say late what has become of a command."""
        with self._db.writer() as session:
            identity = GuestIdentity.get(session, self._id, for_update=True)
            said = report.CommandResult(
                report_id=ids.new_id(), command_id=row.id, state=answer[0], error_symbol=answer[1],
                error_message=answer[1],
            )  # fmt: skip
            self._reports.command_result(session, identity, said)

    def _do(self, session: Session, identity: GuestIdentity, row: GuestCommand) -> None:
        message = base.decode(command.COMMANDS, row.name, row.version, row.args)
        answer = self.decide(row)
        if answer is None:
            if self.takes:
                guest_command.mark_sent(session, [row.id], self._db.now(session) + datetime.timedelta(days=1))
            return
        state, symbol = answer
        self.done.append(row.name)
        if isinstance(message, command.Prepare | command.Reconfigure) and state == "DONE":
            self.ram_mib = message.shape.ram_mib
        result: dict[str, Any] | None = None
        if isinstance(message, command.Configure) and state == "DONE":
            self.values = dict(message.values)
            result = {"restart_required": [name for name in message.values if name == "max_connections"]}
        if isinstance(message, command.ApplyModules) and state == "DONE":
            said_of = {"status": "OK", "message": "hello", "md5": "0" * 32}
            result = {"modules": [{"id": item.id, **said_of} for item in message.modules]}
        for _ in range(2):
            said = report.CommandResult(
                report_id=ids.new_id(), command_id=row.id, state=state, result=result, error_symbol=symbol,
                error_message=symbol and f"password=hunter2 {symbol}",
            )  # fmt: skip
            self._reports.command_result(session, identity, said)


def _hello() -> report.Hello:
    fields: dict[str, Any] = {"agent_version": "1", "handler_version": "1", "protocol_min": 1, "protocol_max": 1}
    commands = {name: [version] for name, version in command.COMMANDS}
    return report.Hello(report_id=ids.new_id(), commands=commands, **fields)
