# SPDX-License-Identifier: Apache-2.0
"""Commands on their way to guests.

The committed row is the message: it is sent until the guest has accepted it, and whatever the guest reports twice
changes nothing. The guest's word counts, also when it comes late: it corrects what the control plane took for granted
(:mod:`trove.domain.command_fate`). The arguments may hold passwords, so they are encrypted, and erased as soon as
nobody waits for the command any more.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import ids
from trove.db import models, sealed
from trove.domain import command_fate
from trove.domain.command_fate import Fate
from trove.objects import base, errors, heartbeat
from trove.objects.guest_identity import ENROLLED, GuestIdentity
from trove.wire.command import Command

PENDING = "PENDING"
ACCEPTED = "ACCEPTED"
#: The guest has been silent for too long to say what has become of it. It says so when it is back.
UNKNOWN = "UNKNOWN"
DONE = "DONE"
FAILED = "FAILED"
#: It was never begun, and never will be.
EXPIRED = "EXPIRED"

#: It has ended in one of these.
FINAL = frozenset({DONE, FAILED, EXPIRED})
#: Somebody waits for it, and counts on it.
UNFINISHED = (PENDING, ACCEPTED)
#: Which states a report of the key may be recorded in. A release before this one made EXPIRED what was begun.
_ENDS = (PENDING, ACCEPTED, UNKNOWN, EXPIRED)
_BEFORE = {ACCEPTED: (PENDING, UNKNOWN), DONE: _ENDS, FAILED: _ENDS}

#: What a guest may report of it.
REPORTED = frozenset(_BEFORE)

#: Version of the object from which on processes know of terms.
_WITH_TERMS = (1, 1)
#: Seconds until a guest is asked again what has become of a command.
ASK_AGAIN = 300.0


@ovo_base.VersionedObjectRegistry.register
class GuestCommand(base.TroveObject):
    """One command. ``args`` is ``None`` once it is final and never shows in ``repr``."""

    # Version 1.0: Initial version
    # Version 1.1: Added set_id and term
    VERSION = "1.1"

    model = models.GuestCommand

    fields = {
        "id": fields.UUIDField(),
        "instance_id": fields.UUIDField(),
        "workflow_id": fields.UUIDField(nullable=True),
        "step": fields.StringField(nullable=True),
        "epoch": fields.IntegerField(),
        "set_id": fields.UUIDField(nullable=True),
        "term": fields.IntegerField(nullable=True),
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
    epoch; and the set on whose roles the command depends, with the set's term now."""

    id: str | None
    workflow_id: str | None
    step: str | None
    epoch: int
    set_id: str | None
    term: int | None


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
#: What goes to guests.
_SENT = (PENDING, UNKNOWN)
#: Each sending puts the next one off; so does a guest that says hello again.
_WAS_SENT = _TABLE.c.send_at > _TABLE.c.created_at
_EXISTS = sa.select(_TABLE.c.id).where(_TABLE.c.id == sa.bindparam("key"))
# UPDATE guest_commands SET ... WHERE id = :key AND instance_id = :guest AND state IN (:states before)
_RECORD = sa.update(_TABLE).where(
    _TABLE.c.id == sa.bindparam("key"),
    _TABLE.c.instance_id == sa.bindparam("guest"),
    _TABLE.c.state.in_(sa.bindparam("before", expanding=True)),
)


def _due(by: datetime.datetime | sa.BindParameter[datetime.datetime]) -> tuple[sa.ColumnElement[bool], ...]:
    return (_TABLE.c.state.in_(_SENT), _TABLE.c.send_at <= by)


_GUESTS = GuestIdentity.table()
# SELECT instance_id, boot, EXISTS (SELECT * FROM guest_commands WHERE instance_id = guest_identities.instance_id AND
# state IN ('PENDING', 'UNKNOWN') AND send_at <= :now) FROM guest_identities WHERE instance_id IN :ids
_WAITING = sa.select(
    _GUESTS.c.instance_id,
    _GUESTS.c.boot,
    sa.exists().where(_TABLE.c.instance_id == _GUESTS.c.instance_id, *_due(sa.bindparam("now"))),
).where(_GUESTS.c.instance_id.in_(sa.bindparam("ids", expanding=True)))


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
    :raises GuestNotFound: when the instance has no guest identity, or a revoked one.
    :raises ValueError: for a set without a term, or a term without a set.
    :raises TermsNotYet: for a term, while a process of a release runs that would send the command without it.
    """
    if (origin.get("set_id") is None) != (origin.get("term") is None):
        raise ValueError("a command that depends on a role has both set_id and term")
    oldest = base.pinned("GuestCommand")
    if origin.get("term") is not None and oldest is not None and base.version_key(oldest) < _WITH_TERMS:
        raise errors.TermsNotYet
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
        set_id=origin.get("set_id"),
        term=origin.get("term"),
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


def pending(session: orm.Session, instance_id: str, by: datetime.datetime, limit: int) -> list[GuestCommand]:
    """Return what is to be sent to a guest by a moment, in order: what it has not accepted, and what it is asked about
    because its outcome is unknown."""
    query = (
        sa.select(_TABLE).where(_TABLE.c.instance_id == instance_id, *_due(by)).order_by(_TABLE.c.sequence).limit(limit)
    )
    return [GuestCommand.from_row(row) for row in session.execute(query).mappings()]


class Waiting(NamedTuple):
    """Whether something waits for a guest, and which start of its agent is the latest."""

    boot: int
    due: bool


def waiting(session: orm.Session, instance_ids: Collection[str], now: datetime.datetime) -> dict[str, Waiting]:
    """Return the latest boot of each of these guests and whether :func:`pending` would find anything for it.

    One query that reads no arguments: many polls ask this again and again. A guest that does not exist is left out.
    """
    rows = session.execute(_WAITING, {"ids": list(instance_ids), "now": now})
    return {row[0]: Waiting(int(row[1]), bool(row[2])) for row in rows}


def due_instances(
    session: orm.Session, now: datetime.datetime, limit: int, transport: str | None = None, after: str = ""
) -> list[str]:
    """Return the ids of up to ``limit`` instances that have something to be sent now, in order.

    :param transport: only those whose guest has enrolled and uses this transport.
    :param after: only ids above this one, to go on after a page.
    """
    query = sa.select(_TABLE.c.instance_id).where(*_due(now), _TABLE.c.instance_id > after)
    query = query.distinct().order_by(_TABLE.c.instance_id).limit(limit)
    if transport is not None:
        guests = GuestIdentity.table()
        query = query.join(guests, guests.c.instance_id == _TABLE.c.instance_id)
        query = query.where(guests.c.transport == transport, guests.c.state == ENROLLED)
    return list(session.scalars(query))


def mark_sent(session: orm.Session, command_ids: Sequence[str], send_at: datetime.datetime) -> None:
    """Put the next sending of these commands off until ``send_at``; those accepted meanwhile are left alone."""
    if command_ids:
        statement = sa.update(_TABLE).where(_TABLE.c.id.in_(command_ids), _TABLE.c.state.in_(_SENT))
        session.execute(statement.values(send_at=send_at))


def make_due(session: orm.Session, instance_id: str, now: datetime.datetime) -> None:
    """Let what an instance's guest has not accepted, or is asked about, be sent again at once: its agent is a new one,
    and what was on its way to the old one is lost."""
    statement = sa.update(_TABLE).where(_TABLE.c.instance_id == instance_id, _TABLE.c.state.in_(_SENT))
    session.execute(statement.where(_TABLE.c.send_at > now).values(send_at=now))


def record_result(
    session: orm.Session, instance_id: str, command_id: str, answer: Answer, now: datetime.datetime
) -> GuestCommand | None:
    """Record how far a command has come.

    :param instance_id: the guest that speaks, from its verified envelope.
    :returns: the command as it is now; ``None`` when it is not this instance's or had ended as the guest said before.
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


def unfinished(session: orm.Session, instance_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and arguments of what was accepted for a guest and has not ended, in order."""
    columns = (_TABLE.c.id, _TABLE.c.name, _TABLE.c.args)
    query = sa.select(*columns).where(*_unfinished(instance_id)).order_by(_TABLE.c.sequence)
    rows = (sealed.reveal(_TABLE, row) for row in session.execute(query).mappings())
    return [(row["name"], row["args"] or {}) for row in rows]


def unsettled(session: orm.Session, instance_id: str) -> list[str]:
    """Return the ids of what an instance's guest may still say something new of, in order."""
    mine = (_TABLE.c.instance_id == instance_id, _TABLE.c.state.in_((*UNFINISHED, UNKNOWN)))
    return list(session.scalars(sa.select(_TABLE.c.id).where(*mine).order_by(_TABLE.c.sequence)))


def count_unfinished(session: orm.Session, instance_id: str) -> int:
    """Return how many commands wait for a guest."""
    return int(session.scalar(sa.select(sa.func.count()).select_from(_TABLE).where(*_unfinished(instance_id))) or 0)


def withdraw(session: orm.Session, command_id: str, now: datetime.datetime) -> bool:
    """Take back a command that was never sent; return whether it is one, so that no guest will ever begin it.

    The caller holds the row of the guest's identity, as a sender does.
    """
    values = {"state": EXPIRED, "args": None, "finished_at": now}
    mine = sa.update(_TABLE).where(_TABLE.c.id == command_id, _TABLE.c.state == PENDING, sa.not_(_WAS_SENT))
    return bool(base.rows_matched(session, mine.values(values)))


def call_off(session: orm.Session, workflow_id: str, now: datetime.datetime) -> None:
    """Have no guest begin any more what a workflow has asked for, as far as it has not accepted that.

    What was never sent is EXPIRED, what was sent is UNKNOWN and past its deadline.

    The caller holds the row of the guest's identity, as a sender does.
    """
    waiting = sa.select(_TABLE.c.id).where(_TABLE.c.workflow_id == workflow_id, _TABLE.c.state == PENDING)
    for command_id in session.scalars(waiting).all():
        if not withdraw(session, command_id, now):
            _lose(session, command_id, now)


class LatePage(NamedTuple):
    """What one look for late commands has found.

    :ivar instance_ids: instances of which :func:`give_up` would give up something.
    :ivar last: where the next look goes on; ``None`` when all were looked at.
    """

    instance_ids: list[str]
    last: str | None


def late_instances(
    session: orm.Session, now: datetime.datetime, silent_since: datetime.datetime | None, limit: int, after: str = ""
) -> LatePage:
    """Look at up to ``limit`` instances with an id above ``after`` that have late commands, in order; no write
    transaction is needed."""
    late = _TABLE.c.deadline <= now
    if silent_since is not None:
        silent = sa.and_(_BEATS.c.instance_id == _TABLE.c.instance_id, _BEATS.c.reported_at <= silent_since)
        late = sa.or_(late, sa.and_(_TABLE.c.created_at <= silent_since, sa.exists().where(silent)))
    query = sa.select(_TABLE.c.instance_id).where(_TABLE.c.state.in_(UNFINISHED), late, _TABLE.c.instance_id > after)
    found = session.scalars(query.distinct().order_by(_TABLE.c.instance_id).limit(limit)).all()
    last = found[-1] if len(found) == limit else None
    return LatePage([item for item in found if _fates(session, item, now, silent_since, 1)], last)


def give_up(
    session: orm.Session,
    instance_id: str,
    now: datetime.datetime,
    silent_since: datetime.datetime | None,
    limit: int,
) -> list[GuestCommand]:
    """Make EXPIRED or UNKNOWN what :func:`trove.domain.command_fate.judge` says of the first ``limit`` unfinished
    commands, and return it as it is then. When all of them were given up, there may be more.

    :param silent_since: a guest that was not heard since then is silent; ``None``: nobody knows which guests are.
    :raises GuestNotFound: when the guest is gone, with its commands.
    """
    # As who sends does: what is sent is not taken for never sent.
    GuestIdentity.hold(session, instance_id)
    given_up = []
    for command_id, fate in _fates(session, instance_id, now, silent_since, limit):
        changed = (withdraw if fate is Fate.EXPIRED else _lose)(session, command_id, now)
        if changed:
            given_up.append(get(session, command_id))
    return given_up


def _lose(session: orm.Session, command_id: str, now: datetime.datetime) -> bool:
    """Make an unfinished command UNKNOWN and past its deadline: a guest that has not accepted it is not to begin it."""
    lost = sa.update(_TABLE).where(_TABLE.c.id == command_id, _TABLE.c.state.in_(UNFINISHED))
    passed = sa.case((_TABLE.c.deadline > now, now), else_=_TABLE.c.deadline)
    again = now + datetime.timedelta(seconds=ASK_AGAIN)
    return bool(base.rows_matched(session, lost.values(state=UNKNOWN, args=None, deadline=passed, send_at=again)))


def _fates(
    session: orm.Session, instance_id: str, now: datetime.datetime, silent_since: datetime.datetime | None, limit: int
) -> list[tuple[str, Fate]]:
    """Judge the first ``limit`` unfinished commands of a guest. Each is judged by itself once those before it are given
    up, so several looks find what one would."""
    columns = (_TABLE.c.id, _WAS_SENT.label("sent"), _TABLE.c.created_at, _TABLE.c.deadline, _TABLE.c.state)
    query = sa.select(*columns).where(*_unfinished(instance_id)).order_by(_TABLE.c.sequence).limit(limit)
    rows = session.execute(query).all()
    said = (_TABLE.c.instance_id == instance_id, _TABLE.c.state.in_((DONE, FAILED)))
    beat = heartbeat.get(session, instance_id)
    heard = None if beat is None else beat.reported_at
    return command_fate.judge(
        [
            command_fate.Waiting(row.id, bool(row.sent) or row.state == ACCEPTED, row.created_at, row.deadline)
            for row in rows
        ],
        progress=session.scalar(sa.select(sa.func.max(_TABLE.c.finished_at)).where(*said)),
        silent=silent_since is not None and (heard is None or heard <= silent_since),
        now=now,
        lost_before=None if heard is None else silent_since,
    )


def _unfinished(instance_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (_TABLE.c.instance_id == instance_id, _TABLE.c.state.in_(UNFINISHED))


def _find(session: orm.Session, command_id: str) -> GuestCommand | None:
    row = session.execute(base.by_key(_TABLE), {"key": command_id}).mappings().one_or_none()
    return None if row is None else GuestCommand.from_row(row)
