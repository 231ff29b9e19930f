# SPDX-License-Identifier: Apache-2.0
"""Changes inside a running database: databases, users, grants, root.

The API writes the guest command and this workflow in one transaction; the workflow waits for the command's result, so
that the change has an owner, a deadline and a visible outcome. Input: ``command_id``.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.objects import fault, root_history
from trove.taskmanager import settle
from trove.taskmanager.steps import guest
from trove.workflow.model import Flow, StepContext


def _changed(ctx: StepContext, session: Session) -> None:
    if ctx.kind == operations.ROOT_ENABLE.name:
        root_history.set_enabled(session, ctx.resource_id, True, ctx.inputs.get("user_id"))
    elif ctx.kind == operations.ROOT_DISABLE.name:
        root_history.set_enabled(session, ctx.resource_id, False, ctx.inputs.get("user_id"))
    fault.clear_fault(session, ctx.resource_id)


def _failed(ctx: StepContext, session: Session) -> None:
    settle.record_fault(session, ctx, ctx.resource_id)


FLOWS = tuple(
    Flow(
        kind=kind.name,
        version=kind.version,
        steps=(guest.AwaitEdit(),),
        on_success=_changed,
        on_reverted=_failed,
        on_parked=_failed,
        timeout=kind.timeout,
    )
    for kind in operations.EDITS
)
