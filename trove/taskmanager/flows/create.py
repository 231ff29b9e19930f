# SPDX-License-Identifier: Apache-2.0
"""Create an instance.

Everything is undone by tag when a step fails or the request is cancelled; the instance then reads ERROR with a fault
and holds no resource. Only the end of the flow makes it ACTIVE, so there is no pivot.

Inputs: ``databases`` (as in the request), ``users_secret`` (id of the secret that holds the users, or null).
"""

from sqlalchemy.orm import Session

from trove.common import clock
from trove.domain import operations
from trove.objects import secret
from trove.taskmanager import settle
from trove.taskmanager.flows import modules as module_flows
from trove.taskmanager.steps import guest, modules, outside, server
from trove.workflow.model import Flow, StepContext


def _created(ctx: StepContext, session: Session) -> None:
    settle.succeeded(session, ctx, "created", launched_at=clock.utcnow())
    secret.delete_for(session, ctx.resource_id, purpose="users")
    module_flows.record(ctx, session, ctx.outputs.get("apply-modules"))


def _failed(ctx: StepContext, session: Session) -> None:
    settle.failed(session, ctx, "create_failed")
    secret.delete_for(session, ctx.resource_id, purpose="users")


def _parked(ctx: StepContext, session: Session) -> None:
    secret.delete_for(session, ctx.resource_id, purpose="users")  # only an undo can park, which needs no passwords
    settle.parked(session, ctx, _failed)


FLOW = Flow(
    kind=operations.INSTANCE_CREATE.name,
    version=1,
    steps=(
        outside.EnsurePort(),
        outside.SetAccess(),
        outside.EnsureVolume(),
        server.IssueIdentity(),
        server.EnsureServer(),
        guest.AwaitGuest(),
        guest.GuestStep("prepare-datastore", guest.make_prepare, "prepare the database", timeout=guest.ENGINE_TIMEOUT),
        guest.GuestStep(
            "create-databases", guest.make_create_databases, "create the databases", timeout=guest.EDIT_TIMEOUT
        ),
        guest.GuestStep("create-users", guest.make_create_users, "create the users", timeout=guest.EDIT_TIMEOUT),
        modules.ApplyAtCreation(
            "apply-modules", modules.make_apply, "apply the modules", timeout=guest.EDIT_TIMEOUT, keep=True
        ),
    ),
    on_success=_created,
    on_reverted=_failed,
    on_parked=_parked,
    timeout=operations.INSTANCE_CREATE.timeout,
)
