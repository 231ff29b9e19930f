# SPDX-License-Identifier: Apache-2.0
"""How an instance passes from a workflow that has ended to the one that waited behind it.

What waits was accepted while something else was in progress, so its inputs say what was true then. Whoever ends the
other one says what is true now, in the same transaction: what the instance is idle as, whether a change of its
configuration waits for a restart, who may reach it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trove.domain import instance_states, operations
from trove.objects.instance import Instance
from trove.workflow.listing import Listing
from trove.workflow.store import Store

_IDLE = frozenset({instance_states.ACTIVE, instance_states.RESTART_REQUIRED})
#: In these its engine is there. A request that waits too may have moved it from where it was idle.
_ALIVE = _IDLE | {instance_states.UPDATING, instance_states.REBOOT, instance_states.RESIZE}
#: Kinds whose end depends on what the instance was when it was handed over.
_HANDED = operations.UNSEEN | {operations.INSTANCE_RESIZE_FLAVOR.name, operations.INSTANCE_RESIZE_VOLUME.name}


def hand_over(session: Session, instance: Instance, ended_id: str, *, restart_waits: bool) -> None:
    """Give ``instance`` to the workflow that follows one that has ended, if one does.

    :param ended_id: id of the one that has ended.
    :param restart_waits: whether a change of the configuration waits for a restart.
    """
    following = next(iter(waiting(session, instance.id, ended_id)), None)
    if following is None:
        return
    more = facts(following["kind"], instance, restart_waits=restart_waits)
    if following["kind"] in operations.UNSEEN and instance.status in _IDLE:
        instance.process_event(session, "update")
    if more:
        Store.amend(session, following["id"], more)


def facts(kind: str, instance: Instance, *, restart_waits: bool) -> dict[str, Any]:
    """Return the inputs that tell a workflow of ``kind`` what ``instance`` is when it is given to it."""
    if kind not in _HANDED:
        return {}
    if instance.status in _IDLE:
        restart_waits = instance.status == instance_states.RESTART_REQUIRED
    more: dict[str, Any] = {"restart_required": restart_waits}
    if kind in operations.UNSEEN and instance.status in _ALIVE:
        # Also when a later request has moved the status: this one comes first, and finds an idle engine.
        more["was"] = instance_states.RESTART_REQUIRED if restart_waits else instance_states.ACTIVE
    if kind == operations.INSTANCE_UPDATE_ACCESS.name:
        more["old"] = dict(instance.access)
    return more


def restart_waited(inputs: Mapping[str, Any]) -> bool:
    """Tell whether a change of the configuration waited for a restart when the workflow of ``inputs`` began."""
    return inputs.get("was") == instance_states.RESTART_REQUIRED or bool(inputs.get("restart_required"))


def waiting(session: Session, instance_id: str, ended_id: str) -> list[dict[str, Any]]:
    """Return whole rows of the workflows that follow the one that ends here, the first of which holds its claim."""
    store = Listing()
    holder = store.active(session, operations.instance_claim(instance_id))
    if holder is None or holder.id == ended_id:
        return []
    known = [holder, *store.successors(session, holder.id)]
    return [store.describe(session, item.id) for item in known]
