# SPDX-License-Identifier: Apache-2.0
"""Workflows as callers of :mod:`trove.operations`: what they begin and end follows the rules that requests follow."""

import dataclasses
from collections.abc import Callable

from sqlalchemy.orm import Session

from trove.objects.scope import Scope
from trove.operations import ending
from trove.operations.accepted import Accepted
from trove.operations.caller import Caller
from trove.operations.work import Work
from trove.workflow.model import Flow, StepContext
from trove.workflow.store import Store


def work_of(ctx: StepContext, session: Session) -> Work:
    """Return the transaction in which the workflow of ``ctx`` begins or ends something."""
    caller = Caller(
        program="taskmanager",
        why=f"{ctx.kind} {ctx.workflow_id}",
        scope=Scope.ALL,
        project_id=ctx.project_id,
        request_id=ctx.request_id,
    )
    return Work(caller, ctx.env.conf, Store(ctx.env.db), session)


def at_checkpoint(ctx: StepContext, change: Callable[[Work], None]) -> None:
    """Have ``change`` carried out at the checkpoint of the step; guests are told after the commit, and workers find
    what has become due by themselves."""
    made: list[Work] = []

    def write(session: Session) -> None:
        made[:] = [work_of(ctx, session)]  # of a transaction that is repeated, only the last one counts
        change(made[0])

    ctx.at_checkpoint(write)
    ctx.after_checkpoint(lambda: made[0].deliver(ctx.env.conductor))


def accepted(ctx: StepContext) -> Accepted:
    """Return what the workflow of ``ctx`` is to those who end it."""
    return Accepted(ctx.kind, ctx.resource_id, ctx.inputs)


def complete(flow: Flow) -> Flow:
    """Return ``flow`` with hooks that also do what every end needs, see :mod:`trove.operations.ending`."""

    def succeeded(ctx: StepContext, session: Session) -> None:
        flow.on_success(ctx, session)
        ending.succeed(work_of(ctx, session), accepted(ctx))

    def reverted(ctx: StepContext, session: Session) -> None:
        flow.on_reverted(ctx, session)
        assert ctx.error is not None  # nothing is reverted without a reason
        ending.fail(work_of(ctx, session), accepted(ctx), ctx.error)

    return dataclasses.replace(flow, on_success=succeeded, on_reverted=reverted)
