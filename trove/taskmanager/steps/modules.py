# SPDX-License-Identifier: Apache-2.0
"""Steps about modules: what is applied to a new instance, waiting for what a request asked for, and applying one again
to the many instances that have it."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trove.domain import modules
from trove.objects import errors, instance_module
from trove.objects.instance import Instance
from trove.objects.module import Module
from trove.objects.scope import Scope
from trove.operations import modules as module_operations
from trove.taskmanager import operating
from trove.taskmanager.steps import commands, guest
from trove.wire import command
from trove.workflow.model import Done, Failed, Result, Sleep, StepContext

#: Seconds until busy instances are looked at again.
BUSY_PAUSE = 30.0

_MD5 = re.compile(r"[0-9a-f]{32}\Z")


def make_apply(ctx: StepContext, instance: Instance) -> command.Command | None:
    """Build the command that applies the modules of a new instance, in their order; ``None`` without any."""
    with ctx.env.db.reader() as session:
        found = instance_module.list_modules(session, instance.id)
    return command.ApplyModules(modules=[module_operations.spec(item) for item in found]) if found else None


def reports_of(result: Mapping[str, Any] | None) -> list[instance_module.ModuleReport]:
    """Return what a guest's result says of modules. Guests are not believed to know our types."""
    found = []
    told = (result or {}).get("modules")
    for item in told if isinstance(told, list) else ():
        if not isinstance(item, dict):
            continue
        module_id, status, message, md5 = (item.get(key) for key in ("id", "status", "message", "md5"))
        known = isinstance(module_id, str) and status in (modules.OK, modules.ERROR)
        if known and isinstance(md5, str) and _MD5.match(md5):
            text = message if isinstance(message, str) else None
            found.append(instance_module.ModuleReport(str(module_id), md5, str(status), text))
    return found


class ApplyAtCreation(guest.GuestStep):
    """Apply the modules of a new instance. Whatever becomes of them, the database is ready: it is not given up."""

    def run(self, ctx: StepContext) -> Result:
        answer = super().run(ctx)
        return Done({"failed": answer.message}) if isinstance(answer, Failed) else answer


class AwaitModules:
    """Wait for the command that was written together with this workflow; what the guest says is the output."""

    name = "await-modules"
    reply = {"modules": "array"}

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            return commands.outcome(ctx, "do this with the modules")
        return commands.look(ctx, ctx.inputs["command_id"], "do this with the modules")

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class ReapplyBatches:
    """Ask some instances at a time to apply a module again, each by a workflow of its own.

    Which ones are left follows from the rows, so nothing is counted here and a crash loses nothing. A busy instance is
    waited for; one that failed, or is being deleted, is not.
    """

    name = "reapply-batches"

    def run(self, ctx: StepContext) -> Result:
        batch_size = int(ctx.inputs["batch_size"])
        with ctx.env.db.reader() as session:
            left = self._left(ctx, session, batch_size + 1)
        batch = left.ready[:batch_size]
        if batch:
            module_id = ctx.inputs["module_id"]
            operating.at_checkpoint(ctx, lambda work: module_operations.apply_again(work, module_id, batch))
        if len(left.ready) > len(batch):
            return Sleep(ctx.inputs["batch_delay"])
        return Sleep(max(BUSY_PAUSE, ctx.inputs["batch_delay"])) if left.busy else Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()

    @staticmethod
    def _left(ctx: StepContext, session: Session, limit: int) -> instance_module.Outdated:
        """Return those that can be asked now, and whether others may be later."""
        project_id = ctx.inputs["project_id"]
        scope = Scope.ALL if project_id is None else Scope.project(project_id)
        try:
            module = Module.get(session, Scope.ALL, ctx.inputs["module_id"])
        except errors.ModuleNotFound:
            return instance_module.Outdated([], False)
        until = datetime.datetime.fromisoformat(ctx.inputs["until"])
        return instance_module.outdated(session, scope, module, until, ctx.inputs, limit=limit)


class WithdrawBatch:
    """Ask some instances to remove a module that was deleted, each by a workflow of its own, and leave the others to
    another workflow."""

    name = "withdraw-batch"

    def run(self, ctx: StepContext) -> Result:
        change = command.RemoveModule(id=ctx.inputs["module_id"], type=ctx.inputs["type"])
        operating.at_checkpoint(ctx, lambda work: module_operations.withdraw(work, change, ctx.inputs["instances"]))
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()
