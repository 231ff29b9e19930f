# SPDX-License-Identifier: Apache-2.0
"""Create an instance.

Everything is undone by tag when a step fails or the request is cancelled; the instance then reads ERROR with a fault
and holds no resource. Only the end of the flow makes it ACTIVE, so there is no pivot.

The commands are written before there is a server, and the agent gets all of them in its first moment. It carries them
out in their order: between two of them nobody waits for the control plane. What follows one that has failed fails too,
and the flow is undone with the first failure.

Inputs: ``databases`` (as in the request), ``users_secret`` (id of the secret that holds the users, or null).
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.objects import secret
from trove.taskmanager import settle
from trove.taskmanager.flows import modules as module_flows
from trove.taskmanager.steps import factories, guest, modules, outside, server
from trove.taskmanager.steps.together import Together
from trove.workflow.model import Flow, Parallel, StepContext

#: Seconds to wait for a command from when there is a server: its guest must start and do what comes before it.
_PREPARED = guest.ENROL_TIMEOUT + guest.ENGINE_TIMEOUT
_EDITED = _PREPARED + guest.EDIT_TIMEOUT


def _created(ctx: StepContext, session: Session) -> None:
    settle.succeeded(session, ctx, ctx.resource_id, "created", launched_at=ctx.env.db.now(session))
    module_flows.record(ctx, session, ctx.outputs.get("apply-modules"))


def _failed(ctx: StepContext, session: Session) -> None:
    settle.failed(session, ctx, ctx.resource_id, "create_failed")


def _parked(ctx: StepContext, session: Session) -> None:
    secret.delete_for(session, ctx.resource_id, purpose="users")  # only an undo can park, which needs no passwords
    settle.parked(session, ctx, ctx.resource_id, _failed)


_SET_UP = (
    guest.GuestStep(
        "prepare-datastore", factories.make_prepare, "prepare the database", timeout=_PREPARED, patient=False
    ),
    guest.GuestStep(
        "create-databases", factories.make_create_databases, "create the databases", timeout=_EDITED, patient=False
    ),
    guest.GuestStep("create-users", factories.make_create_users, "create the users", timeout=_EDITED, patient=False),
)

FLOW = Flow(
    kind=operations.INSTANCE_CREATE.name,
    version=1,
    steps=(
        Together(
            "ensure-outside",
            outside.EnsurePort(),
            outside.SetAccess(),
            outside.EnsureVolume(),
            server.IssueIdentity(),
            guest.WriteAhead(*_SET_UP, deadline=operations.INSTANCE_CREATE.timeout),
        ),
        server.EnsureServer(),
        Parallel("set-up", (guest.AwaitGuest(), *_SET_UP)),
        modules.ApplyAtCreation(
            "apply-modules",
            modules.make_apply,
            "apply the modules",
            timeout=guest.EDIT_TIMEOUT,
            reply={"modules": "array"},
            patient=False,
        ),
    ),
    on_success=_created,
    on_reverted=_failed,
    on_parked=_parked,
    timeout=operations.INSTANCE_CREATE.timeout,
)
