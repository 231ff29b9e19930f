# SPDX-License-Identifier: Apache-2.0
"""Commands on their way to guests.

The committed row is the message: it is sent until the guest has accepted it, and whatever the guest reports late or
twice changes nothing. The arguments may hold passwords, so they are encrypted, and erased as soon as the command is
final.
"""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import ids
from trove.db import models
from trove.objects import base, errors
from trove.objects.guest_identity import ENROLLED, GuestIdentity
from trove.wire.command import Command

PENDING = "PENDING"
ACCEPTED = "ACCEPTED"
DONE = "DONE"
FAILED = "FAILED"
EXPIRED = "EXPIRED"

#: Nothing changes a command in one of these.
FINAL = frozenset({DONE, FAILED, EXPIRED})
#: Which states a report of the key may be recorded in.
_BEFORE = {ACCEPTED: (PENDING,), DONE: (PENDING, ACCEPTED), FAILED: (PENDING, ACCEPTED)}


@ovo_base.VersionedObjectRegistry.register
class GuestCommand(base.TroveObject):
    """One command. ``args`` is ``None`` once it is final and never shows in ``repr``."""

    # Version 1.0: Initial version
    VERSION = "1.0"

    model = models.GuestCommand

    fields = {
        "id": fields.UUIDField(),
        "instance_id": fields.UUIDField(),
        "workflow_id": fields.UUIDField(nullable=True),
        "step": fields.StringField(nullable=True),
        "epoch": fields.IntegerField(),
        "sequence": fields.IntegerField(),
        "name": fields.StringField(),
        "version": fields.IntegerField(),
        "args": base.JSONField(nullable=True),
        "state": fields.StringField(),
        "result": base.JSONField(nullable=True),
        "error_symbol": fields.StringField(nullable=True),
        "error_detail": fields.StringField(nullable=True),
        "send_at": base.Moment(),
        "deadline": base.Moment(),
        "created_at": base.Moment(),
        "finished_at": base.Moment(nullable=True),
    }


class Origin(TypedDict, total=False):
    """Who asks: the id for the command (one made from a step's token makes a repeated step harmless), workflow, step,
    epoch."""

    id: str | None
    workflow_id: str | None
    step: str | None
    epoch: int


class Answer(NamedTuple):
    """What a guest said of a command, or the control plane in its place.

    :ivar state: ``ACCEPTED``, ``DONE`` or ``FAILED``.
    :ivar error_detail: for the operator; the end is kept when it is too long.
    """

    state: str
    result: dict[str, Any] | None = None
    error_symbol: str | None = None
    error_detail: str | None = None


_TABLE = GuestCommand.table()
_BEATS = base.table_of(models.Heartbeat)
_EXISTS = sa.select(_TABLE.c.id).where(_TABLE.c.id == sa.bindparam("key"))
# UPDATE guest_commands SET ... WHERE id = :key AND instance_id = :guest AND state IN (:states before)
_RECORD = sa.update(_TABLE).where(
    _TABLE.c.id == sa.bindparam("key"),
    _TABLE.c.instance_id == sa.bindparam("guest"),
    _TABLE.c.state.in_(sa.bindparam("before", expanding=True)),
)


def submit(
    session: orm.Session,
    *,
    instance_id: str,
    command: Command,
    deadline_seconds: float,
    now: datetime.datetime,
    **origin: Unpack[Origin],
) -> str:
    """Queue ``command`` for an instance's guest and return its id; an id that exists already is left as it is.

    Commands of one instance are ordered by acceptance. The caller sends the hint after its commit.

    :param now: the database's clock.
    :raises GuestNotFound: when the instance has no guest identity.
    """
    command_id = origin.get("id") or ids.new_id()
    # Counting first also locks the guest's row, so that of two submissions under one id the second sees the first.
    sequence = GuestIdentity.next_sequence(session, instance_id)
    if exists(session, command_id):
        return command_id
    GuestCommand(
        id=command_id,
        instance_id=instance_id,
        workflow_id=origin.get("workflow_id"),
        step=origin.get("step"),
        epoch=origin.get("epoch", 0),
        sequence=sequence,
        name=command.name,
        version=command.version,
        args=command.to_wire(),
        state=PENDING,
        result=None,
        error_symbol=None,
        error_detail=None,
        send_at=now,
        deadline=now + datetime.timedelta(seconds=deadline_seconds),
        created_at=now,
        finished_at=None,
    ).insert(session)
    return command_id


def get(session: orm.Session, command_id: str) -> GuestCommand:
    """Return one command.

    :raises CommandNotFound: when there is none.
    """
    command = _find(session, command_id)
    if command is None:
        raise errors.CommandNotFound(command_id)
    return command


def exists(session: orm.Session, command_id: str) -> bool:
    """Tell whether there is a command with this id."""
    return session.execute(_EXISTS, {"key": command_id}).one_or_none() is not None


def pending(
    session: orm.Session,
    instance_id: str,
    by: datetime.datetime,
    limit: int,
    *,
    expires_after: datetime.datetime | None = None,
) -> list[GuestCommand]:
    """Return what is to be sent to a guest by a moment, in order; what is past its deadline is not sent any more.

    :param expires_after: the database's clock, when ``by`` is later.
    """
    query = (
        sa.select(_TABLE)
        .where(_TABLE.c.instance_id == instance_id, *_due(by, expires_after))
        .order_by(_TABLE.c.sequence)
        .limit(limit)
    )
    return [GuestCommand.from_row(row) for row in session.execute(query).mappings()]


def waiting(session: orm.Session, instance_id: str, now: datetime.datetime) -> tuple[int, bool] | None:
    """Return the latest boot of a guest's agent and whether :func:`pending` would find anything; ``None`` for no guest.

    One query that reads no arguments: polls ask this again and again.
    """
    guests = GuestIdentity.table()
    due = sa.exists().where(_TABLE.c.instance_id == instance_id, *_due(now))
    row = session.execute(sa.select(guests.c.boot, due).where(guests.c.instance_id == instance_id)).one_or_none()
    return None if row is None else (int(row[0]), bool(row[1]))


def due_instances(session: orm.Session, now: datetime.datetime, limit: int, transport: str | None = None) -> list[str]:
    """Return the ids of up to ``limit`` instances that have something to be sent now.

    :param transport: only those whose guest has enrolled and uses this transport.
    """
    query = sa.select(_TABLE.c.instance_id).where(*_due(now)).distinct().limit(limit)
    if transport is not None:
        guests = GuestIdentity.table()
        query = query.join(guests, guests.c.instance_id == _TABLE.c.instance_id)
        query = query.where(guests.c.transport == transport, guests.c.state == ENROLLED)
    return list(session.scalars(query))


def mark_sent(session: orm.Session, command_ids: Sequence[str], send_at: datetime.datetime) -> None:
    """Put the next sending of these commands off until ``send_at``; those accepted meanwhile are left alone."""
    if command_ids:
        statement = sa.update(_TABLE).where(_TABLE.c.id.in_(command_ids), _TABLE.c.state == PENDING)
        session.execute(statement.values(send_at=send_at))


def make_due(session: orm.Session, instance_id: str, now: datetime.datetime) -> None:
    """Let what an instance's guest has not accepted be sent again at once: its agent is a new one, and what was on its
    way to the old one is lost."""
    statement = sa.update(_TABLE).where(_TABLE.c.instance_id == instance_id, _TABLE.c.state == PENDING)
    session.execute(statement.where(_TABLE.c.send_at > now).values(send_at=now))


def record_result(
    session: orm.Session, instance_id: str, command_id: str, answer: Answer, now: datetime.datetime
) -> GuestCommand | None:
    """Record how far a command has come.

    :param instance_id: the guest that speaks, from its verified envelope.
    :returns: the command as it is now; ``None`` when it is not this instance's or was final already.
    """
    values: dict[str, Any] = {"state": answer.state}
    if answer.state in FINAL:
        values |= {
            "result": answer.result,
            "error_symbol": answer.error_symbol,
            "error_detail": base.clip(answer.error_detail),
            "args": None,
            "finished_at": now,
        }
    mine = {"key": command_id, "guest": instance_id, "before": _BEFORE[answer.state]}
    changed = base.rows_matched(session, _RECORD, {**mine, **values})
    command = _find(session, command_id)
    if command is None or command.instance_id != instance_id or (not changed and command.state in FINAL):
        return None
    return command


def any_late(
    session: orm.Session, now: datetime.datetime, silent_since: datetime.datetime | None = None
) -> bool:
    """Tell whether :func:`expire` would change anything, without a write transaction."""
    late = sa.select(_TABLE.c.id).where(*_late(now, silent_since)).limit(1)
    return session.execute(late).first() is not None


def expire(
    session: orm.Session, now: datetime.datetime, silent_since: datetime.datetime | None = None
) -> list[GuestCommand]:
    """Make every unfinished command that is late EXPIRED and return those that this call changed.

    :param silent_since: a command is late past its deadline, and also when neither it nor a report of its guest is
        younger than this; ``None``: nobody knows which guests are silent.
    """
    late = _late(now, silent_since)
    expired = []
    for command_id in session.scalars(sa.select(_TABLE.c.id).where(*late).order_by(_TABLE.c.id)).all():
        values = {"state": EXPIRED, "args": None, "finished_at": now}
        if base.rows_matched(session, sa.update(_TABLE).where(_TABLE.c.id == command_id, *late).values(values)):
            expired.append(get(session, command_id))
    return expired


def withdraw(session: orm.Session, workflow_id: str, now: datetime.datetime) -> None:
    """Make what a workflow has asked for EXPIRED as far as its guest has not accepted it: then nobody is told of it."""
    waiting = sa.update(_TABLE).where(_TABLE.c.workflow_id == workflow_id, _TABLE.c.state == PENDING)
    session.execute(waiting.values(state=EXPIRED, args=None, finished_at=now))


def _late(now: datetime.datetime, silent_since: datetime.datetime | None) -> tuple[sa.ColumnElement[bool], ...]:
    late = _TABLE.c.deadline <= now
    if silent_since is not None:
        beat = sa.and_(_BEATS.c.instance_id == _TABLE.c.instance_id, _BEATS.c.reported_at <= silent_since)
        late = sa.or_(late, sa.and_(_TABLE.c.created_at <= silent_since, sa.exists().where(beat)))
    return (_TABLE.c.state.in_((PENDING, ACCEPTED)), late)


def _due(by: datetime.datetime, now: datetime.datetime | None = None) -> tuple[sa.ColumnElement[bool], ...]:
    return (_TABLE.c.state == PENDING, _TABLE.c.send_at <= by, _TABLE.c.deadline > (now or by))


def _find(session: orm.Session, command_id: str) -> GuestCommand | None:
    row = session.execute(base.by_key(_TABLE), {"key": command_id}).mappings().one_or_none()
    return None if row is None else GuestCommand.from_row(row)
