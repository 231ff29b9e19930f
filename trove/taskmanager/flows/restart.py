# SPDX-License-Identifier: Apache-2.0
"""Restart the database of an instance. A failure leaves a fault; the operating status says whether the engine runs."""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.taskmanager import settle
from trove.taskmanager.steps import factories, guest
from trove.workflow.model import Flow, StepContext


def _restarted(ctx: StepContext, session: Session) -> None:
    settle.succeeded(session, ctx, ctx.resource_id, "restarted")


def _failed(ctx: StepContext, session: Session) -> None:
    settle.failed(session, ctx, ctx.resource_id, "restart_failed")


def _parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, ctx.resource_id, _failed)


FLOW = Flow(
    kind=operations.INSTANCE_RESTART.name,
    version=1,
    steps=(guest.GuestStep("restart-datastore", factories.make_restart, "restart the database", timeout=540.0),),
    on_success=_restarted,
    on_reverted=_failed,
    on_parked=_parked,
    timeout=operations.INSTANCE_RESTART.timeout,
)
