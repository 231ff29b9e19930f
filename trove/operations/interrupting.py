# SPDX-License-Identifier: Apache-2.0
"""Operations that are accepted whatever is in progress on an instance: its deletion, an operator's reset, and one that
does all of what it replaces."""

import contextlib

from trove.domain import operations
from trove.domain.notifications import Event
from trove.objects import errors, fault, guest_command, heartbeat, instance_module
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.operations import ending, notifications, submitting, succession
from trove.operations.work import Work
from trove.workflow.listing import Operation
from trove.workflow.model import Failed, State

_DELETION = ending.superseded("a deletion has taken its place", "A deletion")
_RESET = Failed(
    "workflow.reset", "An operator has reset the status of the instance.", "the status of the instance was reset"
)


def delete(work: Work, instance: Instance) -> None:
    """Start the deletion of ``instance``, whatever is in progress on it; one that is under way goes on."""
    active = ending.active(work, instance)
    while active is not None and active.state == State.PARKED:
        ending.abandon(work, active.id, _DELETION)
        # What was queued behind it holds the claim now: maybe a deletion that was accepted before.
        active = ending.active(work, instance)
        work.wakes += [active.id] if active is not None else []
    if active is not None and _ends_in_deletion(work, active):
        return
    if active is not None:
        ending.cancel(work, active.id)
        # That locked its row. If it was parked after we looked and before we locked, nobody would end it for us; from
        # now on its worker sees the deletion that waits.
        locked = ending.active(work, instance)
        if locked is not None and locked.state == State.PARKED:
            return delete(work, instance)
        for item in work.store.successors(work.session, active.id):
            # It would change the instance later, which goes.
            ending.abandon(work, item.id, _DELETION)
    instance_module.clear(work.session, instance.id)
    instance.process_event(work.session, "delete", configuration_id=None)
    after = active.id if active is not None else None
    submitting.submit(work, operations.INSTANCE_DELETE, instance, {}, after=after)


def take_over(work: Work, instance: Instance, kind: operations.Kind, why: str) -> bool:
    """End what is in progress on ``instance`` if it is of ``kind``, because something takes its place that does all of
    it and more; the instance keeps its status. Its guest is not told any more what it has not heard.

    :returns: whether there was such a one.
    """
    active = ending.active(work, instance)
    if active is None or active.kind != kind.name:
        return False
    ending.abandon(work, active.id, ending.superseded(why))
    succession.hand_over(work.session, instance, active.id, restart_waits=False)
    with contextlib.suppress(errors.GuestNotFound):
        GuestIdentity.hold(work.session, instance.id)
        guest_command.call_off(work.session, active.id, work.now())
    return True


def reset(work: Work, instance: Instance) -> None:
    """Declare ``instance`` idle: whatever is in progress on it, or queued, ends without being undone."""
    ended = set()
    while (active := ending.active(work, instance)) is not None:
        ended.add(active.kind)
        ending.abandon(work, active.id, _RESET)
    instance.process_event(work.session, "reset")
    if operations.INSTANCE_CONFIGURE.name in ended:
        fault.set_fault(work.session, instance.id, *operations.CONFIGURATION_UNKNOWN)
    event = Event("instance_reset_status", {"instance_id": instance.id})
    notifications.complete(work, event, instance.project_id)
    heartbeat.reset(work.session, instance.id)


def _ends_in_deletion(work: Work, active: Operation) -> bool:
    following = work.store.successors(work.session, active.id)
    return operations.INSTANCE_DELETE.name in (active.kind, *(item.kind for item in following))
