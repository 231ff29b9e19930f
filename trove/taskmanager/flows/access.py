# SPDX-License-Identifier: Apache-2.0
"""Change who may reach an instance.

Inputs: ``old`` and ``new``, each ``{"is_public", "allowed_cidrs"}``, and ``restart_required``, whether the instance
waited for a restart when the change was accepted, as it does afterwards.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.taskmanager import settle
from trove.taskmanager.steps import outside
from trove.workflow.model import Flow, StepContext


def _changed(ctx: StepContext, session: Session) -> None:
    event = "updated_for_restart" if ctx.inputs["restart_required"] else "updated"
    settle.succeeded(session, ctx, ctx.resource_id, event, access=ctx.inputs["new"])


def _failed(ctx: StepContext, session: Session) -> None:
    settle.failed(
        session,
        ctx,
        ctx.resource_id,
        "update_failed_for_restart" if ctx.inputs["restart_required"] else "update_failed",
    )


def _parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, ctx.resource_id, _failed)


FLOW = Flow(
    kind=operations.INSTANCE_UPDATE_ACCESS.name,
    version=1,
    steps=(outside.SetAccess("new", undo="old"),),
    on_success=_changed,
    on_reverted=_failed,
    on_parked=_parked,
    timeout=operations.INSTANCE_UPDATE_ACCESS.timeout,
)
