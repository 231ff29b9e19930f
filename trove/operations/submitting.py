# SPDX-License-Identifier: Apache-2.0
"""Submitting work: the workflow, its claim or its place in the queue, its quota, its notifications, its command.

What existing clients cannot see an instance busy with is waited for: a request for the same instance is queued behind
it. Anything else refuses what would need the instance for itself.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trove.common import exception, ids
from trove.domain import notifications as domain
from trove.domain import operations
from trove.domain.notifications import Event
from trove.objects import guest_command, guest_support
from trove.objects.instance import Instance
from trove.operations import ending, notifications, quotas, succession
from trove.operations.events import of_command, of_instance
from trove.operations.work import Work
from trove.wire.command import Command
from trove.workflow.model import ClaimHeld, State

LOG = logging.getLogger(__name__)

#: Seconds a guest has to begin a change inside its database, from when it can.
EDIT_SECONDS = 240.0
#: Exclusive operations that may wait for the one that is active on an instance.
MOST_QUEUED = 8
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


class Resource(NamedTuple):
    """What a workflow is about, and whose it is."""

    type: str
    id: str
    project_id: str


def submit(
    work: Work,
    kind: operations.Kind,
    instance: Instance,
    inputs: Mapping[str, Any],
    *,
    after: str | None = None,
    workflow_id: str | None = None,
    events: Sequence[Event] | None = None,
) -> str:
    """Submit a workflow for ``instance`` and return its id. What its kind takes out of the quota is taken.

    :param after: id of the workflow that must end first; ``None``: what existing clients cannot see.
    :param workflow_id: its id, when somebody must know it before; ``None`` makes one.
    :param events: what it is notified as; ``None``: what its kind is.
    :raises InstanceBusy: when another exclusive one is active, or too many wait.
    :raises QuotaExceeded: when what it needs does not fit.
    :raises GuestTooOld: when the guest's agent does not know a command that it needs.
    """
    guest_support.require(work.session, instance.id, operations.guest_commands(kind.name, inputs))
    quotas.take(work, kind, instance.project_id, inputs)
    given = dict(inputs)
    if kind.exclusive and after is None:
        after, more = _queue(work, kind, instance)
        given |= more
    events = of_instance(kind, instance, inputs) if events is None else events
    started = notifications.start(work, events, instance.project_id)
    if started is not None:
        given[domain.INPUT] = started
    claim = operations.instance_claim(instance.id) if kind.exclusive else None
    resource = Resource("instance", instance.id, instance.project_id)
    try:
        return submit_for(work, kind, resource, given, claim=claim, after=after, workflow_id=workflow_id)
    except ClaimHeld as err:
        raise InstanceBusy(instance.id) from err


def submit_for(
    work: Work,
    kind: operations.Kind,
    resource: Resource,
    inputs: Mapping[str, Any],
    *,
    claim: str | None = None,
    after: str | None = None,
    workflow_id: str | None = None,
) -> str:
    """Submit a workflow for any resource, without quota and events, and return its id.

    :param claim: see :meth:`trove.workflow.store.Store.submit`, as for the parameters after it.
    :raises ClaimHeld: when another workflow holds the claim.
    """
    submitted: str = work.store.submit(
        work.session,
        kind=kind,
        resource_type=resource.type,
        resource_id=resource.id,
        project_id=resource.project_id,
        request_id=work.caller.request_id,
        inputs=dict(inputs),
        claim=claim,
        after=after,
        workflow_id=workflow_id,
    )
    work.wakes.append(submitted)
    LOG.info(
        "Workflow %s %s of %s %s was submitted by %s", kind.name, submitted, resource.type, resource.id, work.caller.why
    )
    return submitted


def edit(work: Work, kind: operations.Kind, instance: Instance, command: Command, **inputs: Any) -> str:
    """Submit a change inside the database: the guest's command and the workflow that waits for it.

    :raises QueueFull: when too much waits for the guest already.
    :raises GuestNotFound: when there is no guest.
    :raises GuestTooOld: when the guest's agent does not know the command.
    """
    guest_support.require(work.session, instance.id, [command.name])
    if guest_command.count_unfinished(work.session, instance.id) >= MOST_EDITS:
        raise QueueFull(instance.id)
    workflow_id = ids.new_id()
    command_id = guest_command.submit(
        work.session,
        instance_id=instance.id,
        command=command,
        deadline_seconds=EDIT_SECONDS,
        now=work.now(),
        workflow_id=workflow_id,
    )
    work.deliveries.append(instance.id)
    given = {"command_id": command_id, **inputs}
    return submit(work, kind, instance, given, workflow_id=workflow_id, events=of_command(instance, command))


def queued(work: Work, instance: Instance, kind: operations.Kind) -> list[dict[str, Any]]:
    """Return whole rows of the workflows of ``kind`` that are active on an instance or wait, in their order, and keep
    them from ending before this transaction does."""
    active = ending.active(work, instance)
    if active is None:
        return []
    known = [active, *work.store.successors(work.session, active.id, lock=True)]
    return [work.store.describe(work.session, item.id) for item in known if item.kind == kind.name]


def _queue(work: Work, kind: operations.Kind, instance: Instance) -> tuple[str | None, dict[str, Any]]:
    """Return the workflow to wait for, if the active one is not seen by existing clients, and what the new one is to
    be told of those that had to give way to it."""
    more: dict[str, Any] = {}
    active = ending.active(work, instance)
    while active is not None and active.kind in operations.UNSEEN and active.state == State.PARKED:
        # It would be waited for until an operator comes.
        waits = succession.restart_waited(work.store.describe(work.session, active.id)["inputs"])
        ending.supersede(work, active.id)
        succession.hand_over(work.session, instance, active.id, restart_waits=waits)
        more = succession.facts(kind.name, instance, restart_waits=waits)
        active = ending.active(work, instance)
        work.wakes += [active.id] if active is not None else []
    if active is None or active.kind not in operations.UNSEEN:
        return None, more
    if len(work.store.successors(work.session, active.id, lock=True)) >= MOST_QUEUED:
        raise InstanceBusy(instance.id)
    return str(active.id), {}
