# SPDX-License-Identifier: Apache-2.0
"""How a workflow's end moves its instance; called inside the ending transaction.

A deletion may have been accepted while the workflow ran. Then the instance is in SHUTDOWN already, the event no
longer applies, and the deletion's own workflow, which starts in this same transaction, takes over. A workflow that an
operator's reset has ended never gets here: it is fenced off.

A request may also have been accepted to be carried out next. Its workflow holds the claim by now, and is handed the
instance in the same transaction, so that nobody takes it for idle in between.
"""

import logging

from sqlalchemy.orm import Session

from trove.common import redact
from trove.domain import instance_states
from trove.objects import fault
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import ending, succession
from trove.taskmanager import operating
from trove.workflow.model import Hook, StepContext

LOG = logging.getLogger(__name__)


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
    assert ctx.error is not None  # nothing is parked without a reason
    end = ending.superseded(ctx.error.detail or ctx.error.message, "A deletion")
    if ending.abandon(operating.work_of(ctx, session), ctx.workflow_id, end, cause=ctx.error):
        LOG.warning("workflow %s could not be undone; the deletion that waits for it goes on", ctx.workflow_id)
        on_reverted(ctx, session)


def record_fault(session: Session, ctx: StepContext, instance_id: str) -> None:
    """Record why the workflow failed, unless somebody asked for its end or the instance is gone."""
    error = ctx.error
    if error is None or error.symbol.startswith("workflow.cancel") or _get(session, instance_id).deleted:
        return
    detail = None if error.detail is None else redact.mask_text(error.detail)
    fault.set_fault(session, instance_id, error.symbol, redact.mask_text(error.message), detail)


def _move(session: Session, ctx: StepContext, instance_id: str, event: str, **columns: object) -> Instance:
    instance = _get(session, instance_id)
    if instance_states.MACHINE.allows(instance.status, event):
        instance.process_event(session, event, **columns)
    else:
        LOG.info("instance %s is %s by now, '%s' does not apply", instance.id, instance.status, event)
        if columns:
            instance.assign(columns)
            instance.save(session)
    waits = event.endswith("_for_restart")
    succession.hand_over(session, instance, ctx.workflow_id, restart_waits=waits)
    return instance


def _get(session: Session, instance_id: str) -> Instance:
    return Instance.get(session, Scope.ALL, instance_id, include_deleted=True)
