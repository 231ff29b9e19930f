# SPDX-License-Identifier: Apache-2.0
"""Steps about modules: what is applied to a new instance, waiting for what a request asked for, and applying one again
to the many instances that have it."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from trove.common import ids
from trove.domain import instance_states, modules, operations
from trove.objects import errors, guest_command, instance_listing, instance_module
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.objects.module import Module
from trove.objects.scope import Scope
from trove.taskmanager.environment import Environment
from trove.taskmanager.steps import commands, guest
from trove.wire import command
from trove.workflow.model import Done, Failed, Result, Sleep, StepContext
from trove.workflow.store import Store

#: Seconds until busy instances are looked at again.
BUSY_PAUSE = 30.0

_MD5 = re.compile(r"[0-9a-f]{32}\Z")
#: A command can be carried out now; will never again.
_IDLE = frozenset({instance_states.ACTIVE, instance_states.RESTART_REQUIRED})
_OVER = frozenset({instance_states.ERROR, instance_states.SHUTDOWN})


def spec(module: Module) -> command.ModuleSpec:
    """Return a module as a guest is told of it."""
    return command.ModuleSpec(id=module.id, type=module.type, name=module.name, contents=module.text)


def make_apply(ctx: StepContext, instance: Instance) -> command.Command | None:
    """Build the command that applies the modules of a new instance, in their order; ``None`` without any."""
    with ctx.env.db.reader() as session:
        found = instance_module.list_modules(session, instance.id)
    return command.ApplyModules(modules=[spec(item) for item in found]) if found else None


def said(result: Mapping[str, Any] | None) -> list[instance_module.Said]:
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
            found.append(instance_module.Said(str(module_id), md5, str(status), text))
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
        env: Environment = ctx.env
        with env.db.reader() as session:
            left = self._left(ctx, session)
            ready, busy = self._sorted(session, left)
        batch = ready[: ctx.inputs["batch_size"]]
        if batch:
            ctx.at_checkpoint(lambda session: self._ask(ctx, session, batch))
            ctx.after_checkpoint(lambda: [env.conductor.deliver(instance_id) for instance_id in batch])
        if len(ready) > len(batch):
            return Sleep(ctx.inputs["batch_delay"])
        return Sleep(max(BUSY_PAUSE, ctx.inputs["batch_delay"])) if busy else Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()

    @staticmethod
    def _left(ctx: StepContext, session: Session) -> list[str]:
        project_id = ctx.inputs["project_id"]
        scope = Scope.ALL if project_id is None else Scope.project(project_id)
        try:
            module = Module.get(session, Scope.ALL, ctx.inputs["module_id"])
        except errors.ModuleNotFound:
            return []
        until = datetime.datetime.fromisoformat(ctx.inputs["until"])
        return instance_module.outdated(session, scope, module, until, ctx.inputs)

    @staticmethod
    def _sorted(session: Session, instance_ids: Sequence[str]) -> tuple[list[str], bool]:
        """Return those that can be asked now, and whether others may be later."""
        ready, busy = [], False
        for instance_id in instance_ids:
            row = instance_listing.get_row(session, Scope.ALL, instance_id, include_deleted=True)
            if row.status in _IDLE and row.service_status in instance_states.SERVICE_USABLE:
                ready.append(instance_id)
            elif row.status not in _OVER:
                busy = True
        return ready, busy

    @staticmethod
    def _ask(ctx: StepContext, session: Session, instance_ids: Sequence[str]) -> None:
        try:
            module = Module.get(session, Scope.ALL, ctx.inputs["module_id"], for_update=True)
        except errors.ModuleNotFound:
            return
        for instance_id in instance_ids:
            if instance_module.exists(session, instance_id, module.id):
                submit_apply(ctx, session, instance_id, module)


def submit_apply(ctx: StepContext, session: Session, instance_id: str, module: Module) -> None:
    """Write the command that applies a module to an instance, and the workflow that waits for it."""
    env: Environment = ctx.env
    now, workflow_id = env.db.now(session), ids.new_id()
    try:
        GuestIdentity.get(session, instance_id, for_update=False)
    except errors.GuestNotFound:
        return
    command_id = guest_command.submit(
        session,
        instance_id=instance_id,
        command=command.ApplyModules(modules=[spec(module)]),
        deadline_seconds=guest.EDIT_TIMEOUT,
        now=now,
        workflow_id=workflow_id,
    )
    instance_module.begin(session, instance_id, [module], now)
    Store(env.db).submit(
        session,
        kind=operations.MODULE_APPLY,
        resource_type="instance",
        resource_id=instance_id,
        project_id=Instance.get(session, Scope.ALL, instance_id, include_deleted=True).project_id,
        request_id=ctx.request_id,
        inputs={"command_id": command_id, "modules": [module.id]},
        workflow_id=workflow_id,
    )
