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
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack, cast

import sqlalchemy as sa
from oslo_db import api as db_api
from oslo_db import exception as db_exception
from sqlalchemy.orm import Session

from trove.common import exception, ids
from trove.db import api
from trove.domain import operations
from trove.workflow import listing, rows, transitions
from trove.workflow.model import FINAL, ClaimHeld, Failed, LeaseLost, State, StepState
from trove.workflow.records import Run

_W, _STEP, _SIGNAL = rows.WORKFLOWS, rows.STEPS, rows.SIGNALS
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
    """

    kind: operations.Kind
    resource_type: str
    resource_id: str
    project_id: str
    request_id: str | None
    inputs: Mapping[str, Any]


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
        after: str | None = None,
        workflow_id: str | None = None,
        **work: Unpack[Work],
    ) -> str:
        """Add a workflow and return its id; it is due when the transaction commits.

        :param work: see :class:`Work`.
        :param claim: key that no other active workflow may hold, see :func:`trove.domain.operations.instance_claim`.
        :param after: id of a workflow that must have ended before; the claim is taken over then. If it has ended
            already (or is not known any more) the new one is due at once.
        :raises ClaimHeld: when another workflow holds the claim; the session remains usable.
        """
        now, kind = self.db.now(session), work["kind"]
        blocked = False
        if after is not None:
            state = session.execute(
                sa.select(_W.c.state).where(_W.c.id == after).with_for_update()
            ).scalar_one_or_none()
            blocked = state is not None and state not in _FINAL
        if claim is not None and not blocked and (holder := self._holder(session, claim)) is not None:
            raise ClaimHeld(claim, holder)
        row = {
            "id": workflow_id or ids.new_id(),
            **work,
            "kind": kind.name,
            "kind_version": kind.version,
            "inputs": dict(work["inputs"]),
            "after_id": after,
            "claim_key": None if blocked else claim,
            "wanted_claim": claim if blocked else None,
            "state": State.QUEUED.value,
            "cursor": 0,
            "epoch": 0,
            "wake_at": None if blocked else now,
            "deadline": now + datetime.timedelta(seconds=kind.timeout),
            "created_at": now,
            "updated_at": now,
        }
        try:
            with session.begin_nested():
                session.execute(sa.insert(_W).values(row))
        except db_exception.DBDuplicateEntry as err:
            if claim is None or (holder := self._holder(session, claim)) is None:
                raise
            raise ClaimHeld(claim, holder) from err
        return str(row["id"])

    def signal(self, session: Session, workflow_id: str, name: str, payload: Mapping[str, Any]) -> bool:
        """Deliver a signal, once per workflow and name until it is consumed, and make the workflow due if it waits for
        it.

        A signal that nobody waits for yet is kept; one for a workflow that has ended, or is not known, is dropped.

        :returns: whether the workflow is still active, so that a wake hint makes sense.
        """
        now = self.db.now(session)
        mine = _W.c.id == workflow_id
        # First of all the lock, see the module's docstring.
        if not rows.matched(session, sa.update(_W).where(mine, _W.c.state.not_in(_FINAL)).values(updated_at=now)):
            return False
        same = (_SIGNAL.c.workflow_id == workflow_id) & (_SIGNAL.c.name == name)
        if session.execute(sa.select(_SIGNAL.c.id).where(same)).first() is None:
            row = {
                "id": ids.new_id(),
                "workflow_id": workflow_id,
                "name": name,
                "payload": dict(payload),
                "created_at": now,
            }
            session.execute(sa.insert(_SIGNAL).values(row))
        awaits = (
            (_STEP.c.workflow_id == workflow_id) & (_STEP.c.state == StepState.WAITING.value) & (_STEP.c.signal == name)
        )
        if session.execute(sa.select(_STEP.c.name).where(awaits)).first() is not None:
            session.execute(sa.update(_W).where(mine, _W.c.wake_at > now).values(wake_at=now))
        if session.execute(sa.select(_STEP.c.name).where(awaits, _STEP.c.deadline.is_(None))).first() is not None:
            self._unpark(session, workflow_id, now)
        return True

    def correct(self, session: Session, workflow_id: str, symbol: str, becomes: Failed) -> bool:
        """Say why a workflow was given up, now that it is known; return whether the reason was ``symbol`` until now."""
        mine = sa.update(_W).where(_W.c.id == workflow_id, _W.c.state.in_(_FINAL), _W.c.error_symbol == symbol)
        return bool(rows.matched(session, mine.values(rows.error_columns(becomes))))

    def signal_claim(self, session: Session, claim: str, name: str, payload: Mapping[str, Any]) -> str | None:
        """Deliver a signal to the workflow that holds ``claim``; return its id, or ``None`` when nobody holds it."""
        holder = self._holder(session, claim)
        return holder if holder is not None and self.signal(session, holder, name, payload) else None

    def request_cancel(self, session: Session, workflow_id: str) -> bool:
        """Ask a workflow to unwind; past its pivot it goes on regardless. Return whether it is active and was not asked
        before."""
        now = self.db.now(session)
        sleeping = _W.c.state == State.WAITING.value
        asked = (
            sa.update(_W)
            .where(_W.c.id == workflow_id, _W.c.state.not_in(_FINAL), _W.c.cancel_requested_at.is_(None))
            .values(cancel_requested_at=now, updated_at=now, wake_at=sa.case((sleeping, now), else_=_W.c.wake_at))
        )
        return bool(rows.matched(session, asked))

    @staticmethod
    def amend(session: Session, workflow_id: str, more: Mapping[str, Any]) -> None:
        """Add to the inputs of a workflow that has not begun: what was not known yet when it was submitted.

        The caller's transaction is the one in which it may begin.
        """
        inputs = session.execute(sa.select(_W.c.inputs).where(_W.c.id == workflow_id)).scalar_one()
        session.execute(sa.update(_W).where(_W.c.id == workflow_id).values(inputs={**inputs, **more}))

    def abandon(
        self,
        session: Session,
        workflow_id: str,
        symbol: str,
        detail: str | None,
        message: str = "The operation was abandoned.",
    ) -> bool:
        """End a workflow as REVERTED at once, without undoing anything and without its hooks; its worker, if any, is
        fenced off.

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
        self._ended(session, workflow_id, now)
        return True

    def retry(self, session: Session, workflow_id: str) -> bool:
        """Let a PARKED workflow go on where it stopped, with fresh attempts and its whole time again; ``False`` if it
        is not parked."""
        now = self.db.now(session)
        parked = (_W.c.id == workflow_id) & (_W.c.state == State.PARKED.value)
        row = session.execute(sa.select(_W.c.created_at, _W.c.deadline).where(parked).with_for_update()).first()
        if row is None:
            return False
        deadline = row.deadline and now + (row.deadline - row.created_at)
        awaits = (_STEP.c.workflow_id == workflow_id) & (_STEP.c.state == StepState.WAITING.value)
        awaits &= _STEP.c.deadline.is_(None)  # see ParkUntil
        waiting = session.execute(sa.select(_STEP.c.name).where(awaits)).first() is not None
        fresh_error = rows.error_columns(None) if waiting else {}
        session.execute(
            sa.update(_W)
            .where(parked)
            .values(state="QUEUED", wake_at=now, updated_at=now, deadline=deadline, **fresh_error)
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
            ending = {"claim_key": None, "wanted_claim": None, "finished_at": draft.now} if ended else {}
            if not rows.save(session, run, draft, **ending):
                raise LeaseLost(f"workflow {run.id} is no longer held by {run.owner} with epoch {run.epoch}")
            rows.save_steps(session, run, draft)
            if ended:
                self._ended(session, run.id, draft.now)
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

    @staticmethod
    def _unpark(session: Session, workflow_id: str, now: datetime.datetime) -> None:
        parked = (_W.c.id == workflow_id) & (_W.c.state == State.PARKED.value)
        row = session.execute(sa.select(_W.c.created_at, _W.c.deadline).where(parked)).first()
        if row is not None:  # with its whole time again: how long nobody could know is not its fault
            deadline = row.deadline and now + (row.deadline - row.created_at)
            on = {**rows.error_columns(None), "state": State.WAITING.value, "wake_at": now, "deadline": deadline}
            session.execute(sa.update(_W).where(parked).values(on))

    def _is_superseded(self, session: Session, workflow_id: str) -> bool:
        known = [operations.KINDS.get(item.kind) for item in self.successors(session, workflow_id)]
        return any(kind is not None and kind.supersedes for kind in known)

    @staticmethod
    def _holder(session: Session, claim: str) -> str | None:
        return session.execute(sa.select(_W.c.id).where(_W.c.claim_key == claim)).scalar_one_or_none()

    def _ended(self, session: Session, workflow_id: str, now: datetime.datetime) -> None:
        """In the transaction that ends a workflow: forget its signals and start its successors."""
        session.execute(sa.delete(_SIGNAL).where(_SIGNAL.c.workflow_id == workflow_id))
        waiting = (_W.c.after_id == workflow_id) & (_W.c.state == State.QUEUED.value) & _W.c.wake_at.is_(None)
        queue = sa.select(_W.c.id, _W.c.wanted_claim).where(waiting).order_by(_W.c.created_at, _W.c.id)
        for row in session.execute(queue).all():
            start = {"claim_key": row.wanted_claim, "wanted_claim": None, "wake_at": now, "updated_at": now}
            # Locked, so that it cannot end before this transaction has queued the successor behind it.
            holder = sa.select(_W.c.id).where(_W.c.claim_key == row.wanted_claim).with_for_update()
            other = session.execute(holder).scalar_one_or_none() if row.wanted_claim is not None else None
            values = start if other is None else {"after_id": other}
            session.execute(sa.update(_W).where(_W.c.id == row.id).values(values))
