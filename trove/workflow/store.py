# SPDX-License-Identifier: Apache-2.0
"""Workflows in SQL: submit, claim, checkpoint, signal, end.

Two kinds of methods. Those that take a ``session`` belong to the caller's transaction (an API request, a report of a
guest), so that a workflow exists exactly when the rows it is about do. The others open a transaction of their own and
belong to workers.

Guarantees, the same on SQLite, MySQL/MariaDB and PostgreSQL (all at READ COMMITTED or stricter):

* *One owner.* A claim is one UPDATE that raises ``epoch``; a checkpoint is guarded by owner and epoch in the
  transaction that also holds the step rows and the domain's rows. A worker whose lease was taken over cannot write
  anything any more: :class:`LeaseLost`.
* *No lost signal.* Whoever signals locks the workflow's row first, and a checkpoint reads the signals after it has
  locked that row; so either the checkpoint sees the signal or the signal sees the wait. The same holds for cancelling
  and for successors.
* *One clock*: the database's.
"""

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NotRequired, ParamSpec, TypedDict, TypeVar, Unpack, cast

import sqlalchemy as sa
from oslo_db import api as db_api
from oslo_db import exception as db_exception
from sqlalchemy.orm import Session

from trove.common import exception, ids
from trove.db import api
from trove.domain import operations
from trove.workflow import claims as claim_rows
from trove.workflow import ending, listing, rows, signals, transitions
from trove.workflow.model import FINAL, ClaimHeld, Failed, LeaseLost, State, StepState
from trove.workflow.records import Run

_W, _STEP = rows.WORKFLOWS, rows.STEPS
_FINAL = [state.value for state in FINAL]

# UPDATE workflows SET owner, epoch = epoch + 1, lease_until, state = RUNNING
#  WHERE id AND wake_at <= now AND (owner IS NULL OR lease_until < now) AND (kind, kind_version) IN known
_NOW = sa.bindparam("now", type_=_W.c.wake_at.type)
_FREE = _W.c.owner.is_(None) | (_W.c.lease_until < _NOW)
_KNOWN = sa.tuple_(_W.c.kind, _W.c.kind_version).in_(sa.bindparam("known", expanding=True))
_IDLE = _W.c.state.in_([State.QUEUED.value, State.WAITING.value])
_CLAIM = (
    sa.update(_W)
    .where(_W.c.id == sa.bindparam("key"), _W.c.wake_at <= _NOW, _FREE, _KNOWN)
    .values(owner=sa.bindparam("who"), epoch=_W.c.epoch + 1, lease_until=sa.bindparam("until"))
    .values(state=sa.case((_IDLE, State.RUNNING.value), else_=_W.c.state))
)
_DUE = sa.select(_W.c.id, _W.c.wake_at).where(_W.c.wake_at.is_not(None), _FREE, _KNOWN).order_by(_W.c.wake_at)

Change = Callable[[Run], None]
Write = Callable[[Run, Session], None]
P = ParamSpec("P")
R = TypeVar("R")


def _repeated_on_deadlock(function: Callable[P, R]) -> Callable[P, R]:
    """Repeat a transaction that the database chose to break a deadlock with, or whose compare-and-set of a domain row
    found another revision: either way nothing of it was written.

    Nothing else is repeated: after a connection lost in the commit nobody knows whether it happened, and what a step
    wants written must not be written twice. The worker then claims again and looks.
    """
    wrap = db_api.wrap_db_retry(
        max_retries=5,
        retry_on_deadlock=True,
        retry_interval=0.05,
        max_retry_interval=1,
        jitter=True,
        exception_checker=lambda err: isinstance(err, exception.StaleObject),
    )
    return cast(Callable[P, R], wrap(function))


class Work(TypedDict):
    """What is to be done, for whom.

    :ivar inputs: JSON without secrets.
    :ivar parent_id: the workflow that starts this one, see :mod:`trove.workflow.fan_out`.
    """

    kind: operations.Kind
    resource_type: str
    resource_id: str
    project_id: str
    request_id: str | None
    inputs: Mapping[str, Any]
    parent_id: NotRequired[str]


class Store(listing.Listing):
    """The workflow tables of one database.

    :param db: the process's database.
    """

    def __init__(self, db: api.Database) -> None:
        self.db = db

    # -- for whoever wants work done: inside the caller's transaction

    def submit(
        self,
        session: Session,
        *,
        claim: str | None = None,
        claims: Sequence[str] = (),
        after: str | None = None,
        workflow_id: str | None = None,
        **work: Unpack[Work],
    ) -> str:
        """Add a workflow and return its id; it is due when the transaction commits.

        :param work: see :class:`Work`.
        :param claim: key that no other active workflow may hold, see :func:`trove.domain.operations.instance_claim`.
        :param claims: more of them; the workflow gets all or none. While processes of the former release run, at most
            one in all: they see no others.
        :param after: id of a workflow that must have ended before; the claims are taken then. If it has ended already
            (or is not known any more) the new one is due at once.
        :raises ClaimHeld: when another workflow holds one of the claims; the session remains usable.
        :raises ValueError: when the inputs are not those that the kind states.
        """
        now, kind = self.db.now(session), work["kind"]
        operations.check_inputs(kind, work["inputs"])
        keys = sorted({*claims, *([] if claim is None else [claim])})
        blocked = after is not None and self._lock_active(session, after)
        if not blocked and (held := claim_rows.holder(session, keys)) is not None:
            raise ClaimHeld(*held)
        only = keys[0] if len(keys) == 1 else None
        row = {
            "id": workflow_id or ids.new_id(),
            **work,
            "kind": kind.name,
            "kind_version": kind.version,
            "inputs": dict(work["inputs"]),
            "after_id": after,
            "claims": keys or None,
            "claim_key": None if blocked else only,
            "wanted_claim": only if blocked else None,
            "state": State.QUEUED.value,
            "cursor": 0,
            "epoch": 0,
            "wake_at": None if blocked else now,
            "timeout": kind.timeout,
            # Of a queued one only for the former release, which sets no other when it starts it.
            "deadline": now + datetime.timedelta(seconds=kind.timeout),
            "created_at": now,
            "updated_at": now,
        }
        try:
            with api.savepoint(session):
                session.execute(sa.insert(_W).values(row))
                if not blocked:
                    claim_rows.take(session, str(row["id"]), keys)
        except db_exception.DBDuplicateEntry as err:
            if (held := claim_rows.holder(session, keys)) is None:
                raise
            raise ClaimHeld(*held) from err
        return str(row["id"])

    def signal(self, session: Session, workflow_id: str, name: str, payload: Mapping[str, Any]) -> bool:
        """Deliver a signal, once per workflow and name until it is consumed, and make the workflow due if it waits for
        it.

        A signal that nobody waits for yet is kept; one for a workflow that has ended, or is not known, is dropped.

        :returns: whether the workflow is still active, so that a wake hint makes sense.
        """
        return signals.deliver(session, workflow_id, name, payload, self.db.now(session))

    def correct(self, session: Session, workflow_id: str, symbol: str, becomes: Failed) -> bool:
        """Say why a workflow was given up, now that it is known; return whether the reason was ``symbol`` until now."""
        mine = sa.update(_W).where(_W.c.id == workflow_id, _W.c.state.in_(_FINAL), _W.c.error_symbol == symbol)
        return bool(rows.matched(session, mine.values(rows.error_columns(becomes))))

    def signal_claim(self, session: Session, claim: str, name: str, payload: Mapping[str, Any]) -> str | None:
        """Deliver a signal to the workflow that holds ``claim``; return its id, or ``None`` when nobody holds it."""
        held = claim_rows.holder(session, [claim])
        if held is None or not self.signal(session, held.workflow_id, name, payload):
            return None
        return held.workflow_id

    def request_cancel(self, session: Session, workflow_id: str) -> bool:
        """Ask a workflow to unwind; past its pivot it goes on regardless. Return whether it is active and was not asked
        before.

        Its children are asked when it unwinds, or has ended.
        """
        return bool(signals.request_cancel(session, _W.c.id == workflow_id, self.db.now(session)))

    @staticmethod
    def amend(session: Session, workflow_id: str, more: Mapping[str, Any]) -> None:
        """Add to the inputs of a workflow that has not begun: what was not known yet when it was submitted.

        The caller's transaction is the one in which it may begin.

        :raises ValueError: when they are not among those that its kind states.
        """
        row = session.execute(sa.select(_W.c.kind, _W.c.inputs).where(_W.c.id == workflow_id)).one()
        if row.kind in operations.KINDS:
            operations.check_inputs(operations.KINDS[row.kind], more, whole=False)
        session.execute(sa.update(_W).where(_W.c.id == workflow_id).values(inputs={**row.inputs, **more}))

    def abandon(
        self,
        session: Session,
        workflow_id: str,
        symbol: str,
        detail: str | None,
        message: str = "The operation was abandoned.",
    ) -> bool:
        """End a workflow as REVERTED at once, without undoing anything and without its hooks; its worker, if any, is
        fenced off. Those of its children that have not ended are asked to unwind, and do so by themselves.

        :param detail: for the operator.
        :param message: for the user.
        :returns: ``False`` when it has ended already.
        """
        now = self.db.now(session)
        ended = {
            **rows.error_columns(Failed(symbol, message, detail)),
            "state": State.REVERTED.value,
        }
        free: dict[str, Any] = {
            "owner": None,
            "lease_until": None,
            "wake_at": None,
            "claim_key": None,
            "wanted_claim": None,
        }
        end = sa.update(_W).where(_W.c.id == workflow_id, _W.c.state.not_in(_FINAL))
        if not rows.matched(
            session, end.values(**ended, **free, epoch=_W.c.epoch + 1, updated_at=now, finished_at=now)
        ):
            return False
        parent = session.execute(sa.select(_W.c.parent_id).where(_W.c.id == workflow_id)).scalar_one()
        ending.ended(session, workflow_id, parent, now)
        return True

    def retry(self, session: Session, workflow_id: str) -> bool:
        """Let a PARKED workflow go on where it stopped, with fresh attempts and its whole time again; ``False`` if it
        is not parked."""
        now = self.db.now(session)
        parked = (_W.c.id == workflow_id) & (_W.c.state == State.PARKED.value)
        row = session.execute(rows.LIMITS.where(parked).with_for_update()).first()
        if row is None:
            return False
        awaits = (_STEP.c.workflow_id == workflow_id) & (_STEP.c.state == StepState.WAITING.value)
        awaits &= _STEP.c.deadline.is_(None)  # see ParkUntil
        waiting = session.execute(sa.select(_STEP.c.name).where(awaits)).first() is not None
        fresh_error = rows.error_columns(None) if waiting else {}
        session.execute(
            sa.update(_W)
            .where(parked)
            .values(state="QUEUED", wake_at=now, updated_at=now, deadline=rows.fresh_deadline(row, now), **fresh_error)
        )
        failed = (_STEP.c.workflow_id == workflow_id) & (_STEP.c.state == StepState.FAILED.value)
        fresh = {"state": StepState.PENDING.value, "attempt": 1, "deadline": None, "finished_at": None}
        session.execute(sa.update(_STEP).where(failed).values(fresh))
        return True

    # -- for workers: transactions of their own

    @api.retry_on_conflict
    def due(self, kinds: Sequence[tuple[str, int]], limit: int) -> tuple[list[str], float | None]:
        """Return ids of due workflows that a worker may try to claim, oldest first, and the seconds until the next one
        known."""
        with self.db.reader() as session:
            now = self.db.now(session)
            found = session.execute(_DUE.limit(limit), {"now": now, "known": kinds}).all()
        later = next(((row.wake_at - now).total_seconds() for row in found if row.wake_at > now), None)
        return [row.id for row in found if row.wake_at <= now], later

    @api.retry_on_conflict
    def claim(self, workflow_id: str, owner: str, ttl: float, kinds: Sequence[tuple[str, int]]) -> Run | None:
        """Take a due workflow for ``ttl`` seconds; ``None`` when it is not due, owned, or of a kind not in
        ``kinds``."""
        with self.db.writer() as session:
            now = self.db.now(session)
            until = now + datetime.timedelta(seconds=ttl)
            if not rows.matched(
                session, _CLAIM, {"key": workflow_id, "now": now, "who": owner, "until": until, "known": kinds}
            ):
                return None
            return rows.load(session, workflow_id, ttl, now)

    @_repeated_on_deadlock
    def checkpoint(self, run: Run, change: Change, settle: Change, write: Write) -> Run:
        """Record progress and return the run as it stands now; ``run`` itself is not changed.

        :param change: pure; applies what the step answered.
        :param settle: pure; sets ``wake_at`` and gives up ``owner`` when there is nothing to run now.
        :param write: called with the new run and the session once the fence has held.
        :raises LeaseLost: when another worker has claimed the workflow, or it was abandoned; nothing was written.
        """
        with self.db.writer() as session:
            draft = run.draft(self.db.now(session))
            change(draft)
            settle(draft)
            if draft.state is State.PARKED and self._is_superseded(session, run.id):
                # A deletion waits for the end of this, and removes by tag whatever is left of it.
                draft.state = State.REVERTED
            ended = draft.state in FINAL
            final = {"claim_key": None, "wanted_claim": None, "finished_at": draft.now} if ended else {}
            if not rows.save(session, run, draft, **final):
                raise LeaseLost(f"workflow {run.id} is no longer held by {run.owner} with epoch {run.epoch}")
            rows.save_steps(session, run, draft)
            if ended:
                ending.ended(session, run.id, run.parent_id, draft.now)
            else:
                self._look_around(session, run, draft, settle)
            write(draft, session)
        return draft

    def _look_around(self, session: Session, run: Run, draft: Run, settle: Change) -> None:
        """Take up signals and a cancel that have arrived meanwhile; if they end the wait just recorded, hold on to the
        workflow."""
        rows.read_arrivals(session, draft)
        if transitions.unpark(draft) or (draft.owner is None and draft.wake_at is not None):
            draft.owner = run.owner
            settle(draft)
            if draft.owner is not None:  # no guard needed: this transaction has the row locked
                session.execute(sa.update(_W).where(_W.c.id == run.id).values(rows.workflow_columns(draft)))

    @api.retry_on_conflict
    def renew(self, owner: str, held: Collection[str], ttl: float) -> set[str]:
        """Extend the leases of ``held`` with one UPDATE; return the ids that ``owner`` does not hold any more."""
        with self.db.writer() as session:
            mine = _W.c.id.in_(held) & (_W.c.owner == owner)
            until = self.db.now(session) + datetime.timedelta(seconds=ttl)
            if rows.matched(session, sa.update(_W).where(mine).values(lease_until=until)) == len(held):
                return set()
            return set(held) - set(session.execute(sa.select(_W.c.id).where(mine)).scalars())

    @api.retry_on_conflict
    def give_back(self, owner: str, held: Collection[str] | None = None) -> int:
        """Release the leases of ``owner``, all or those of ``held``, for others to take at once; return how many."""
        with self.db.writer() as session:
            mine = _W.c.owner == owner
            if held is not None:
                mine &= _W.c.id.in_(held)
            return rows.matched(session, sa.update(_W).where(mine).values(owner=None, lease_until=None))

    # -- within

    def _is_superseded(self, session: Session, workflow_id: str) -> bool:
        known = [operations.KINDS.get(item.kind) for item in self.successors(session, workflow_id)]
        return any(kind is not None and kind.supersedes for kind in known)

    @staticmethod
    def _lock_active(session: Session, workflow_id: str) -> bool:
        """Lock a workflow, and tell whether it is known and has not ended."""
        state = session.execute(sa.select(_W.c.state).where(_W.c.id == workflow_id).with_for_update())
        return state.scalar_one_or_none() not in (None, *_FINAL)
