# SPDX-License-Identifier: Apache-2.0
"""What each report does: one small function per type, in the transaction that also advances the guest's replay
position.

A handler takes ``(session, identity, report)``. Who speaks is in ``identity``, which the envelope has proven; what a
report says of itself is never believed. Each handler names the columns it may write. Every report may come twice and
out of order, so each is harmless to repeat. The inventory, which may be large, has :mod:`trove.conductor.inventories`.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.orm import Session

from trove.common import redact
from trove.conductor import enrolment, renewal
from trove.db.api import Database
from trove.domain import command_fate, instance_states, operations
from trove.objects import fault, guest_command, guest_identity, guest_log, heartbeat
from trove.objects.base import clip
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.wire import base, command, report, stated
from trove.workflow.model import Failed

#: Symbol of a command that was not begun by its deadline; a guest that refuses one for that says the same.
EXPIRED_SYMBOL = command.EXPIRED_SYMBOL
_MAX_INTEGER = 2**31 - 1
_VERSION_LENGTH = 64


class Signals(Protocol):
    """The part of :class:`trove.workflow.store.Store` that is needed here."""

    def signal(self, session: Session, workflow_id: str, name: str, payload: Mapping[str, Any]) -> bool: ...

    def signal_claim(self, session: Session, claim: str, name: str, payload: Mapping[str, Any]) -> str | None: ...

    def correct(self, session: Session, workflow_id: str, symbol: str, becomes: Failed) -> bool: ...


@dataclass
class Outcome:
    """What is to be done once the transaction has committed.

    :ivar wake: workflows that have something to do now.
    :ivar replies: messages for the guest, in addition to the acknowledgement.
    :ivar enrolled: whether a new key was agreed on.
    :ivar acknowledge: whether the guest may forget the report.
    """

    wake: list[str] = field(default_factory=list)
    replies: list[base.Message] = field(default_factory=list)
    enrolled: bool = False
    acknowledge: bool = True


Handler = Callable[[Session, GuestIdentity, Any], Outcome]


class Reports:
    """The handlers.

    :param signals: the workflow store.
    """

    def __init__(self, db: Database, signals: Signals) -> None:
        self._db = db
        self._signals = signals
        self.handlers: Mapping[type[report.Report], Handler] = {
            report.Hello: self.hello,
            report.CommandResult: self.command_result,
            report.Logs: self.logs,
        }

    def hello(self, session: Session, identity: GuestIdentity, message: report.Hello) -> Outcome:
        """An agent (re)started: ``guest_identities`` commands (state, generation, keys and enrolled_at when it is the
        first hello), ``heartbeats`` agent_version, handler_version, protocol_min, protocol_max, ``guest_commands``
        send_at."""
        compatible = stated.speaks(message.protocol_min, message.protocol_max)
        # In the boot that has enrolled, what was sent came with the key, which this guest has.
        had_all = identity.state == guest_identity.EXCHANGING and "boot" not in identity.obj_what_changed()
        enrolment.complete(identity, self._db.now(session))
        record_statement(session, identity, message)
        if not compatible:
            return Outcome(replies=[enrolment.protocol_refusal()])
        if not had_all:
            guest_command.make_due(session, identity.instance_id, self._db.now(session))
        claim = operations.instance_claim(identity.instance_id)
        workflow_id = self._signals.signal_claim(session, claim, operations.GUEST_READY, {})
        return Outcome(wake=[workflow_id] if workflow_id else [])

    def command_result(self, session: Session, identity: GuestIdentity, message: report.CommandResult) -> Outcome:
        """How far a command has come: ``guest_commands`` state, result, error_symbol, error_detail, args,
        finished_at; of one that rotates keys, ``guest_identities`` keys."""
        if message.state not in guest_command.REPORTED:  # a later release's, which is no end
            return Outcome()
        detail = "\n".join(part for part in (message.error_message, message.log_tail) if part) or None
        done = guest_command.record_result(
            session,
            identity.instance_id,
            message.command_id,
            guest_command.Answer(message.state, message.result, message.error_symbol, detail),
            self._db.now(session),
        )
        if done is None or done.state not in guest_command.FINAL:
            return Outcome()
        if done.name == command.RotateKeys.name:
            renewal.agree(identity, done)
        wake = signal_command(session, self._signals, done, message.error_message, message.log_tail)
        if not wake and done.workflow_id is not None:
            self._correct(session, done, message.error_message)
        return Outcome(wake=wake)

    def _correct(self, session: Session, done: GuestCommand, message: str | None) -> None:
        """Say of an operation that was given up because nobody knew its outcome what that is after all."""
        if done.state == guest_command.DONE:
            told = Failed("guest.finished_late", "It was given up while the guest was silent; the guest finished it.")
        else:
            told = Failed(done.error_symbol or "guest.failed", message or "The guest could not do this.")
        assert done.workflow_id is not None
        if self._signals.correct(session, done.workflow_id, command_fate.UNKNOWN_SYMBOL, told):
            shown = None if done.state == guest_command.DONE else (told.symbol, redact.mask_text(told.message))
            fault.correct_fault(session, done.instance_id, command_fate.UNKNOWN_SYMBOL, shown)

    def logs(self, session: Session, identity: GuestIdentity, message: report.Logs) -> Outcome:
        """What logs there are: ``guest_logs`` type, status, enabled, file, size_bytes, pending_bytes, updated_at."""
        guest_log.record(session, identity.instance_id, message.logs, self._db.now(session))
        return Outcome()


def record_statement(session: Session, identity: GuestIdentity, message: report.Enrol | report.Hello) -> None:
    """Keep what an agent states of itself, as it states it: ``guest_identities`` commands, which the caller saves;
    ``heartbeats`` agent_version, handler_version, protocol_min, protocol_max."""
    # An enrolment may say nothing of commands.
    said = message.commands or isinstance(message, report.Hello)
    identity.commands = stated.keep(message.commands) if said else None
    before = heartbeat.get(session, identity.instance_id) or heartbeat.HeartbeatRecord(
        identity.instance_id, instance_states.SERVICE_NEW, None
    )
    heartbeat.record(session, [before._replace(**_versions(message))])


def heartbeat_record(
    instance_id: str, message: report.Heartbeat, received_at: datetime.datetime
) -> heartbeat.HeartbeatRecord:
    """Return the row of a heartbeat: every column of ``heartbeats``.

    Texts and numbers are cut to what the columns hold: many guests' rows are written together, and one must not spoil
    the others'.
    """
    return heartbeat.HeartbeatRecord(
        instance_id=instance_id,
        service_status=_service_status(message.service_status),
        reported_at=received_at,
        reason=clip(message.reason, 255),
        volume_used_bytes=message.volume_used_bytes,
        volume_total_bytes=message.volume_total_bytes,
        wal_bytes=message.wal_bytes,
        **_versions(message),
    )


def signal_command(
    session: Session,
    signals: Signals,
    done: GuestCommand,
    error_message: str | None,
    log_tail: str | None = None,
) -> list[str]:
    """Tell the workflow that asked for a command what became of it; return the workflows to wake after the commit."""
    if not done.workflow_id:
        return []
    payload = {
        "state": done.state,
        "result": done.result,
        "error_symbol": EXPIRED_SYMBOL if done.state == guest_command.EXPIRED else done.error_symbol,
        "error_message": error_message,
        "log_tail": log_tail,
    }
    active = signals.signal(session, done.workflow_id, operations.command_signal(done.id), payload)
    return [done.workflow_id] if active else []


def _service_status(word: str) -> str:
    """Return a status as it is kept: a word that we do not know as it is, and as unknown what only we may say."""
    reserved = instance_states.OPERATING_WORD.keys() - instance_states.REPORTABLE_SERVICE_STATUSES
    return instance_states.SERVICE_UNKNOWN if word in reserved else word


def _versions(message: report.Enrol | report.Hello | report.Heartbeat) -> dict[str, Any]:
    return {
        "agent_version": clip(message.agent_version, _VERSION_LENGTH),
        "handler_version": clip(message.handler_version, _VERSION_LENGTH),
        "protocol_min": min(message.protocol_min, _MAX_INTEGER),
        "protocol_max": min(message.protocol_max, _MAX_INTEGER),
    }
