# SPDX-License-Identifier: Apache-2.0
"""Fit the engine of an instance to the values of its configuration group, or to none.

The request has written the group into the instance's row, which always has what was asked for last; the flow reads the
group's values when it comes to them, so one that waits behind others takes over all that was changed meanwhile. What
the running engine cannot take over makes the instance RESTART_REQUIRED.

Inputs: ``was``, the status that the request moved the instance from, or that it had when it was handed over to one that
waited; without it the flow moves the instance itself. When the request attached or detached: ``configuration_id``,
``previous`` (ids or null) and ``previous_revision`` of the group before, which a failure puts back, in the engine and
in the row. When another request to attach or detach waits already, the row is that one's, and what is to be put back
too.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trove.domain import instance_states, operations
from trove.objects import errors, fault
from trove.objects.configuration import Configuration
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import configurations, succession
from trove.taskmanager import operating, settle
from trove.taskmanager.members import MemberStep
from trove.taskmanager.steps import factories, guest
from trove.workflow.model import Done, Flow, Result, StepContext
from trove.workflow.store import Store


class BeginUpdate(MemberStep):
    """Move an instance that was busy when the change was asked for. One that failed or is being deleted meanwhile has
    no engine to configure, and is left alone."""

    name = "begin-update"

    def run(self, ctx: StepContext) -> Result:
        if "was" in ctx.inputs:
            return Done({"was": ctx.inputs["was"]})
        member = self.member(ctx)
        status = member.instance.status
        if not instance_states.MACHINE.allows(status, "update"):
            return Done({"was": None})

        def move(session: Session) -> None:
            Instance.get(session, Scope.ALL, member.id).process_event(session, "update")

        ctx.at_checkpoint(move)
        return Done({"was": status})

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _was(ctx: StepContext) -> str | None:
    begun: Mapping[str, Any] = ctx.outputs.get(BeginUpdate.name) or ctx.inputs
    return begun.get("was")


def _make(ctx: StepContext, instance: Instance) -> Any:
    return None if _was(ctx) is None else factories.make_configure(ctx, instance)


def _configured(ctx: StepContext, session: Session) -> None:
    if _was(ctx) is None:
        return
    said = ctx.outputs.get("configure-datastore") or {}
    settle.succeeded(
        session, ctx, ctx.resource_id, "updated_for_restart" if said.get("restart_required") else "updated"
    )


def _failed(ctx: StepContext, session: Session) -> None:
    waits = _was(ctx) == instance_states.RESTART_REQUIRED
    instance = settle.failed(session, ctx, ctx.resource_id, "update_failed_for_restart" if waits else "update_failed")
    if instance.deleted or instance.status == instance_states.SHUTDOWN:
        return  # it has no group any more
    if "previous" in ctx.inputs:
        later = _next_wish(ctx, session)
        if later is None:
            _put_back(ctx, session, instance)
        else:  # nothing has come of this, so what it would have put back is what that one finds
            Store.amend(session, later, {key: ctx.inputs[key] for key in ("previous", "previous_revision")})
    elif ctx.error is not None and ctx.error.symbol.startswith("workflow.cancel"):
        # The group keeps the values that this engine was not given, so the owner must hear of it.
        fault.set_fault(session, instance.id, *operations.CONFIGURATION_UNKNOWN)


def _next_wish(ctx: StepContext, session: Session) -> str | None:
    """Return the workflow that attaches or detaches a group next."""
    for row in succession.waiting(session, ctx.resource_id, ctx.workflow_id):
        if row["kind"] == ctx.kind and "previous" in row["inputs"]:
            return str(row["id"])
    return None


def _put_back(ctx: StepContext, session: Session, instance: Instance) -> None:
    previous, revision = ctx.inputs["previous"], None
    if previous is not None:
        try:
            revision = Configuration.get(session, Scope.ALL, previous, for_update=True).revision
        except errors.ConfigurationNotFound:
            previous = None
    instance.assign({"configuration_id": previous})
    instance.save(session)
    if revision != ctx.inputs["previous_revision"]:
        # The group was changed or deleted while nobody could know that this instance would have it again.
        configurations.refresh(operating.work_of(ctx, session), instance)


def _parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, ctx.resource_id, _failed)


FLOW = Flow(
    kind=operations.INSTANCE_CONFIGURE.name,
    version=operations.INSTANCE_CONFIGURE.version,
    steps=(
        BeginUpdate(),
        guest.GuestStep(
            "configure-datastore",
            _make,
            "take over the configuration",
            timeout=guest.EDIT_TIMEOUT,
            unmake=factories.make_unconfigure,
            reply={"restart_required": "array"},
        ),
    ),
    on_success=_configured,
    on_reverted=_failed,
    on_parked=_parked,
    timeout=operations.INSTANCE_CONFIGURE.timeout,
)
