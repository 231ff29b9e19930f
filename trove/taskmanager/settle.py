# SPDX-License-Identifier: Apache-2.0
"""How a workflow's end moves its instance; called inside the ending transaction.

A deletion may have been accepted while the workflow ran. Then the instance is in SHUTDOWN already, the event no
longer applies, and the deletion's own workflow, which starts in this same transaction, takes over. A workflow that an
operator's reset has ended never gets here: it is fenced off.

A request may also have been accepted to be carried out next. Its workflow holds the claim by now, and is handed the
instance in the same transaction, so that nobody takes it for idle in between.
"""

import logging
from typing import Any

from sqlalchemy.orm import Session

from trove.common import redact
from trove.domain import instance_states, operations
from trove.objects import fault, quota
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.taskmanager import announce
from trove.workflow.listing import Listing
from trove.workflow.model import Hook, StepContext
from trove.workflow.store import Store

LOG = logging.getLogger(__name__)

_IDLE = frozenset({instance_states.ACTIVE, instance_states.RESTART_REQUIRED})
#: Kinds whose end depends on what the instance was when it was handed over.
_HANDED = operations.UNSEEN | {operations.INSTANCE_RESIZE_FLAVOR.name, operations.INSTANCE_RESIZE_VOLUME.name}


def succeeded(session: Session, ctx: StepContext, instance_id: str, event: str, **columns: object) -> Instance:
    """Move the instance by ``event``, set ``columns``, and clear its fault."""
    instance = _move(session, ctx, instance_id, event, **columns)
    fault.clear_fault(session, instance.id)
    return instance


def failed(session: Session, ctx: StepContext, instance_id: str, event: str) -> Instance:
    """Move the instance by ``event`` and record why as its fault; a cancelled workflow leaves no fault."""
    instance = _move(session, ctx, instance_id, event)
    record_fault(session, ctx, instance_id)
    return instance


def parked(session: Session, ctx: StepContext, instance_id: str, on_reverted: Hook) -> None:
    """Record why the workflow cannot go on, and leave the instance to it until an operator retries or aborts it.

    A deletion that waits behind it must not wait for an operator: then the workflow ends here as if it had been undone,
    because the deletion finds and removes by tag all that is left.
    """
    if _get(session, instance_id).status != instance_states.SHUTDOWN:
        record_fault(session, ctx, instance_id)
        return
    detail = None if ctx.error is None else ctx.error.detail or ctx.error.message
    if Store(ctx.env.db).abandon(session, ctx.workflow_id, "workflow.superseded", detail):
        LOG.warning("workflow %s could not be undone; the deletion that waits for it goes on", ctx.workflow_id)
        on_reverted(ctx, session)
        announce.failed(ctx, session)


def record_fault(session: Session, ctx: StepContext, instance_id: str) -> None:
    """Record why the workflow failed, unless somebody asked for its end or the instance is gone."""
    error = ctx.error
    if error is None or error.symbol.startswith("workflow.cancel") or _get(session, instance_id).deleted:
        return
    detail = None if error.detail is None else redact.mask_text(error.detail)
    fault.set_fault(session, instance_id, error.symbol, redact.mask_text(error.message), detail)


def give_back(session: Session, instance: Instance, amounts: dict[str, int]) -> None:
    """Return quota to the instance's project."""
    if amounts:
        quota.release(session, instance.project_id, amounts)


def _move(session: Session, ctx: StepContext, instance_id: str, event: str, **columns: object) -> Instance:
    instance = _get(session, instance_id)
    if instance_states.MACHINE.allows(instance.status, event):
        instance.process_event(session, event, **columns)
    else:
        LOG.info("instance %s is %s by now, '%s' does not apply", instance.id, instance.status, event)
        if columns:
            instance.assign(columns)
            instance.save(session)
    _hand_over(session, ctx, instance, waits=event.endswith("_for_restart"))
    return instance


def _hand_over(session: Session, ctx: StepContext, instance: Instance, *, waits: bool) -> None:
    """Give the instance to the workflow that follows, with what could not be known when that was accepted.

    :param waits: whether a change of the configuration waits for a restart.
    """
    following = next(iter(waiting(session, ctx, instance.id)), None)
    if following is None:
        return
    more: dict[str, object] = {"restart_required": waits}
    if following["kind"] in operations.UNSEEN and instance.status in _IDLE:
        more |= {"was": instance.status, "restart_required": instance.status == instance_states.RESTART_REQUIRED}
        instance.process_event(session, "update")
    if following["kind"] == operations.INSTANCE_UPDATE_ACCESS.name:
        more["old"] = dict(instance.access)
    if following["kind"] in _HANDED:
        Store.amend(session, following["id"], more)


def waiting(session: Session, ctx: StepContext, instance_id: str) -> list[dict[str, Any]]:
    """Return whole rows of the workflows that follow the one that ends here, the first of which holds its claim."""
    store = Listing()
    holder = store.active(session, operations.instance_claim(instance_id))
    if holder is None or holder.id == ctx.workflow_id:
        return []
    known = [holder, *store.successors(session, holder.id)]
    return [store.describe(session, item.id) for item in known]


def _get(session: Session, instance_id: str) -> Instance:
    return Instance.get(session, Scope.ALL, instance_id, include_deleted=True)
