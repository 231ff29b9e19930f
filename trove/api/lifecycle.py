# SPDX-License-Identifier: Apache-2.0
"""Changing an instance: one transaction, the rows it writes, and the hints that follow it.

A handler that changes something is a function of the request and a :class:`Work`, made a handler by
:func:`transactional`. It looks up, decides and writes through ``work.session`` and does nothing else, because it is
run again from the start when another transaction came in between. The hints go out after the commit: another process
must never be told of a row that is not there yet.

>>> @lifecycle.transactional                                                                  # doctest: +SKIP
... def restart(req, work):
...     instance = work.instance(req.path["instance_id"])
...     instance.process_event(work.session, "restart")
...     work.submit(operations.INSTANCE_RESTART, instance, {})
...     return Reply()
"""

import contextlib
import functools
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from oslo_db import exception as db_exception
from sqlalchemy.orm import Session

from trove.api import notices
from trove.api.request import ApiRequest, Reply
from trove.common import clock, exception, ids
from trove.domain import notices as domain_notices
from trove.domain import operations
from trove.domain.notices import Notice
from trove.objects import errors, fault, guest_command, guest_support, heartbeat, instance_module, quota, secret
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.wire.command import Command
from trove.workflow.listing import Operation
from trove.workflow.model import ClaimHeld, State

LOG = logging.getLogger(__name__)
T = TypeVar("T")

#: What repeating the whole transaction cures. A lost connection is not among them: nobody knows whether it committed.
_COLLISIONS = (exception.StaleObject, db_exception.DBDeadlock)
_ATTEMPTS = 8
_FIRST_PAUSE = 0.02

#: Seconds a guest has to begin a change inside its database, from when it can.
EDIT_SECONDS = 240.0
#: Exclusive operations that may wait for the one that is active on an instance.
MOST_QUEUED = 8
#: Symbol of an operation that ended because another one has taken its place.
SUPERSEDED = "workflow.superseded"
#: Commands that may wait for one guest.
MOST_EDITS = 500


class InstanceBusy(exception.UnprocessableEntity):
    """Another operation is in progress."""

    symbol = "instance.busy"

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Instance {instance_id} is busy with another operation; try again when it has ended.")


class QueueFull(exception.UnprocessableEntity):
    """Too much was accepted for an instance and is not done yet."""

    symbol = "instance.queue_full"

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Too many changes wait for instance {instance_id}; try again when some of them are done.")


@dataclass
class Work:
    """One transaction and the hints that follow it."""

    req: ApiRequest
    session: Session
    wakes: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)

    def instance(self, instance_id: str) -> Instance:
        """Return an instance that the caller may see.

        :raises InstanceNotFound: otherwise.
        """
        return Instance.get(self.session, self.req.scope, instance_id)

    def submit(
        self,
        kind: operations.Kind,
        instance: Instance,
        inputs: Mapping[str, Any],
        *,
        after: str | None = None,
        workflow_id: str | None = None,
        told: Sequence[Notice] | None = None,
    ) -> str:
        """Submit a workflow for ``instance`` and return its id.

        :param after: id of the workflow that must end first.
        :param workflow_id: its id, when somebody must know it before; ``None`` makes one.
        :param told: the events that it is announced as; ``None``: those of its kind.

        What existing clients cannot see the instance busy with is waited for.

        :raises InstanceBusy: when another exclusive one is active, or too many wait.
        :raises GuestTooOld: when the guest's agent does not know a command that it needs.
        """
        guest_support.require(self.session, instance.id, operations.guest_commands(kind.name, inputs))
        if kind.exclusive and after is None:
            after = self._unseen(instance)
        if told is None:
            told = notices.of_instance(kind, instance, inputs)
        kept = notices.begin(self.req, self.session, told, instance.project_id)
        try:
            submitted: str = self.req.services.store.submit(
                self.session,
                kind=kind,
                resource_type="instance",
                resource_id=instance.id,
                project_id=instance.project_id,
                request_id=self.req.context.request_id,
                inputs=dict(inputs) if kept is None else {**inputs, domain_notices.INPUT: kept},
                claim=operations.instance_claim(instance.id) if kind.exclusive else None,
                after=after,
                workflow_id=workflow_id,
            )
        except ClaimHeld as err:
            raise InstanceBusy(instance.id) from err
        self.wakes.append(submitted)
        return submitted

    def edit(self, kind: operations.Kind, instance: Instance, command: Command, **inputs: Any) -> str:
        """Submit a change inside the database: the guest's command and the workflow that waits for it.

        :raises QueueFull: when too much waits for the guest already.
        :raises GuestTooOld: when the guest's agent does not know the command.
        """
        guest_support.require(self.session, instance.id, [command.name])
        if guest_command.count_unfinished(self.session, instance.id) >= MOST_EDITS:
            raise QueueFull(instance.id)
        workflow_id = ids.new_id()
        command_id = guest_command.submit(
            self.session,
            instance_id=instance.id,
            command=command,
            deadline_seconds=EDIT_SECONDS,
            now=self.req.services.db.now(self.session),
            workflow_id=workflow_id,
        )
        self.deliveries.append(instance.id)
        told = notices.of_command(instance, command)
        return self.submit(kind, instance, {"command_id": command_id, **inputs}, workflow_id=workflow_id, told=told)

    def announce(self, event: str, payload: Mapping[str, Any], project_id: str, **end: Any) -> None:
        """Tell of something that is complete with this transaction; ``end`` is what its end adds."""
        notices.announce(self.req, self.session, Notice(event, payload), project_id, end)

    def delete(self, instance: Instance) -> None:
        """Start the deletion of ``instance``, whatever is in progress on it; one that is under way goes on."""
        store = self.req.services.store
        active = self._active(instance)
        while active is not None and active.state == State.PARKED:
            self.abandon(instance, active.id, SUPERSEDED, "a deletion has taken its place")
            # What was queued behind it holds the claim now: maybe a deletion that was accepted before.
            active = self._active(instance)
            self.wakes += [active.id] if active is not None else []
        if active is not None and self._ends_in_deletion(active):
            return
        if active is not None:
            store.request_cancel(self.session, active.id)
            self.wakes.append(active.id)
            # That locked its row. If it was parked after we looked and before we locked, nobody would end it for us;
            # from now on its worker sees the deletion that waits.
            locked = self._active(instance)
            if locked is not None and locked.state == State.PARKED:
                return self.delete(instance)
        self._forget_queued(instance, active)
        instance_module.clear(self.session, instance.id)
        instance.process_event(self.session, "delete", configuration_id=None)
        self.submit(operations.INSTANCE_DELETE, instance, {}, after=active.id if active is not None else None)

    def take_over(self, instance: Instance, kind: operations.Kind, why: str) -> bool:
        """End what is in progress on ``instance`` if it is of ``kind``, because something takes its place that does all
        of it and more; the instance keeps its status. Its guest is not told any more what it has not heard.

        :returns: whether there was such a one.
        """
        active = self._active(instance)
        if active is None or active.kind != kind.name:
            return False
        self.abandon(instance, active.id, SUPERSEDED, why)
        with contextlib.suppress(errors.GuestNotFound):
            GuestIdentity.hold(self.session, instance.id)
            guest_command.call_off(self.session, active.id, self.req.services.db.now(self.session))
        return True

    def reset(self, instance: Instance) -> None:
        """Declare ``instance`` idle: whatever is in progress on it, or queued, ends without being undone."""
        ended = set()
        while (active := self._active(instance)) is not None:
            ended.add(active.kind)
            self.abandon(instance, active.id, "workflow.reset", "an operator has reset the status of the instance")
        instance.process_event(self.session, "reset")
        if operations.INSTANCE_CONFIGURE.name in ended:
            fault.set_fault(self.session, instance.id, *operations.CONFIGURATION_UNKNOWN)
        self.announce("instance_reset_status", {"instance_id": instance.id}, instance.project_id)
        heartbeat.reset(self.session, instance.id)

    def abandon(self, instance: Instance, workflow_id: str, symbol: str, detail: str, *message: str) -> None:
        """End a workflow at once, without undoing anything; give back what its request took and forget its secrets."""
        store = self.req.services.store
        row = store.describe(self.session, workflow_id)
        if store.abandon(self.session, workflow_id, symbol, detail, *message):
            taken = operations.quota_taken(row["kind"], row["inputs"])
            notices.abandoned(self.req, self.session, row["inputs"].get(domain_notices.INPUT) or (), symbol, detail)
            if taken:
                quota.release(self.session, instance.project_id, taken)
            if row["kind"] == operations.INSTANCE_CREATE.name:
                secret.delete_for(self.session, instance.id, purpose="users")
                self._give_up_modules(instance)

    def _give_up_modules(self, instance: Instance) -> None:
        """Say of the modules of an unfinished instance that they were not applied."""
        left = instance_module.pending(self.session, instance.id)
        why = "The creation of the instance was given up before; apply the module again."
        instance_module.failed(self.session, instance.id, left, why, self.req.services.db.now(self.session))

    def queued(self, instance: Instance, kind: operations.Kind) -> list[dict[str, Any]]:
        """Return whole rows of the workflows of ``kind`` that are active on an instance or wait, in their order, and
        keep them from ending before this transaction does."""
        store = self.req.services.store
        active = self._active(instance)
        if active is None:
            return []
        known = [active, *store.successors(self.session, active.id, lock=True)]
        return [store.describe(self.session, item.id) for item in known if item.kind == kind.name]

    def supersede(self, instance: Instance, workflow_id: str) -> None:
        """End a workflow that waits, because what was asked for later takes its place."""
        detail = "a later request has taken its place"
        self.abandon(instance, workflow_id, SUPERSEDED, detail, "A later request has taken the place of this one.")

    def _unseen(self, instance: Instance) -> str | None:
        """Return the operation that is waited for, if the active one is not seen by existing clients."""
        store = self.req.services.store
        active = self._active(instance)
        while active is not None and active.kind in operations.UNSEEN and active.state == State.PARKED:
            # It would be waited for until an operator comes.
            self.abandon(instance, active.id, SUPERSEDED, "a later request has taken its place")
            active = self._active(instance)
            self.wakes += [active.id] if active is not None else []
        if active is None or active.kind not in operations.UNSEEN:
            return None
        if len(store.successors(self.session, active.id, lock=True)) >= MOST_QUEUED:
            raise InstanceBusy(instance.id)
        return str(active.id)

    def _active(self, instance: Instance) -> Operation | None:
        return self.req.services.store.active(self.session, operations.instance_claim(instance.id))

    def _ends_in_deletion(self, active: Operation) -> bool:
        following = self.req.services.store.successors(self.session, active.id)
        return operations.INSTANCE_DELETE.name in (active.kind, *(item.kind for item in following))

    def _forget_queued(self, instance: Instance, active: Operation | None) -> None:
        """End what would change the instance later: it goes."""
        for item in [] if active is None else self.req.services.store.successors(self.session, active.id):
            self.abandon(instance, item.id, SUPERSEDED, "a deletion has taken its place")


def transactional(decide: Callable[[ApiRequest, Work], Reply]) -> Callable[[ApiRequest], Reply]:
    """Return the handler that runs ``decide`` with :func:`perform`."""

    @functools.wraps(decide)
    def handler(req: ApiRequest) -> Reply:
        return perform(req, lambda work: decide(req, work))

    return handler


def perform(req: ApiRequest, decide: Callable[[Work], T]) -> T:
    """Run ``decide`` in one transaction, send its hints when that has committed, and return what it returned.

    A transaction that collided with another one is repeated, so ``decide`` sees what the other one has written.

    :raises Conflict: when it has collided every time.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return _once(req, decide)
        except _COLLISIONS as err:
            LOG.info("%s collided on attempt %d: %s; repeating it", req.route.handler, attempt, type(err).__name__)
            # Jitter: transactions that collided would otherwise collide again.
            clock.sleep(_FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1.5))
    try:
        return _once(req, decide)
    except db_exception.DBDeadlock as err:
        raise exception.Conflict("Other requests change the same resource; repeat the request.") from err


def _once(req: ApiRequest, decide: Callable[[Work], T]) -> T:
    with req.services.db.writer() as session:
        work = Work(req, session)
        answer = decide(work)
    for instance_id in dict.fromkeys(work.deliveries):
        req.services.conductor.deliver(instance_id)
    for workflow_id in dict.fromkeys(work.wakes):
        req.services.taskmanager.wake(workflow_id)
    return answer
