# SPDX-License-Identifier: Apache-2.0
"""Delete an instance.

Nothing here unwinds: a deletion goes on until everything is gone, and quota is given back in the transaction that
says so.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.objects import fault, server_group
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import quotas
from trove.taskmanager import settle
from trove.taskmanager.steps import guest, outside, server
from trove.workflow.model import FROM_START, Flow, StepContext


def _deleted(ctx: StepContext, session: Session) -> None:
    instance = Instance.get(session, Scope.ALL, ctx.resource_id, include_deleted=True)
    if not instance.deleted:
        instance.mark_deleted(session)
        fault.clear_fault(session, instance.id)
        if instance.server_group_id is not None:
            server_group.leave(session, instance.server_group_id, instance.id)
        quotas.free_instance(session, instance)


def _parked(ctx: StepContext, session: Session) -> None:
    settle.record_fault(session, ctx, ctx.resource_id)


FLOW = Flow(
    kind=operations.INSTANCE_DELETE.name,
    version=1,
    steps=(
        guest.StopDatastore(),
        server.RemoveServer(),
        server.RemoveServerGroup(),
        outside.RemoveVolume(),
        outside.RemovePort(),
        guest.ForgetGuest(),
    ),
    on_success=_deleted,
    on_reverted=_parked,
    on_parked=_parked,
    pivot=FROM_START,
    timeout=operations.INSTANCE_DELETE.timeout,
    max_attempts=60,
)
