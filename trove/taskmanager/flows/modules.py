# SPDX-License-Identifier: Apache-2.0
"""Modules of instances: apply some, remove one, apply one again wherever it is out of date, and remove one that was
deleted wherever it was.

Applying and removing: the request writes the guest's command and the workflow in one transaction, and the workflow
waits for the result. Inputs: ``command_id``, ``modules`` (ids). What became of each module stands in the rows of the
instance's modules; a failure leaves no fault, because the database is as healthy as before.

Applying again: inputs ``module_id``, ``project_id`` (whose instances; null: everybody's), ``until`` (instances that
were asked after this time are done), ``md5`` (only instances with these contents, or null), ``force``, ``batch_size``,
``batch_delay`` in seconds.

Removing a deleted one: inputs ``type`` of the module, and ``instances``, the ids of those that had it.
"""

from sqlalchemy.orm import Session

from trove.common import redact
from trove.domain import modules, operations
from trove.objects import instance_module
from trove.taskmanager.steps import modules as steps
from trove.workflow.model import Flow, Step, StepContext


def _applied(ctx: StepContext, session: Session) -> None:
    record(ctx, session, ctx.outputs.get(steps.AwaitModules.name))


def _not_applied(ctx: StepContext, session: Session) -> None:
    instance_module.failed(session, ctx.resource_id, ctx.inputs["modules"], _why(ctx), ctx.env.db.now(session))


def _removed(ctx: StepContext, session: Session) -> None:
    for module_id in ctx.inputs["modules"]:
        instance_module.remove(session, ctx.resource_id, module_id)


def _not_removed(ctx: StepContext, session: Session) -> None:
    told = [instance_module.ModuleReport(item, "", modules.ERROR, _why(ctx)) for item in ctx.inputs["modules"]]
    instance_module.record(session, ctx.resource_id, told, ctx.env.db.now(session))


def _nothing(_ctx: StepContext, _session: Session) -> None:
    """Leave everything to the workflows of the instances."""


def _why(ctx: StepContext) -> str:
    return redact.mask_text(ctx.error.message) if ctx.error is not None else "The operation was given up."


def record(ctx: StepContext, session: Session, result: object) -> None:
    """Write what the guest said of modules; what it did not mention has failed."""
    now = ctx.env.db.now(session)
    told = result if isinstance(result, dict) else {}
    found = steps.reports_of(told)
    instance_module.record(session, ctx.resource_id, found, now)
    rest = ctx.inputs.get("modules") or instance_module.pending(session, ctx.resource_id)
    silent = str(told.get("failed") or "The guest did not say what became of the module; apply it again.")
    instance_module.failed(session, ctx.resource_id, rest, redact.mask_text(silent), now)


APPLY = Flow(
    kind=operations.MODULE_APPLY.name,
    version=operations.MODULE_APPLY.version,
    steps=(steps.AwaitModules(),),
    on_success=_applied,
    on_reverted=_not_applied,
    on_parked=_not_applied,
    timeout=operations.MODULE_APPLY.timeout,
)

REMOVE = Flow(
    kind=operations.MODULE_REMOVE.name,
    version=operations.MODULE_REMOVE.version,
    steps=(steps.AwaitModules(),),
    on_success=_removed,
    on_reverted=_not_removed,
    on_parked=_not_removed,
    timeout=operations.MODULE_REMOVE.timeout,
)


def _for_others(kind: operations.Kind, step: Step) -> Flow:
    """Return the flow of ``kind``, whose one step begins workflows of instances."""
    return Flow(
        kind=kind.name,
        version=kind.version,
        steps=(step,),
        on_success=_nothing,
        on_reverted=_nothing,
        on_parked=_nothing,
        timeout=kind.timeout,
    )


REAPPLY = _for_others(operations.MODULE_REAPPLY, steps.ReapplyBatches())
WITHDRAW = _for_others(operations.MODULE_WITHDRAW, steps.WithdrawBatch())
