# SPDX-License-Identifier: Apache-2.0
"""Change the shape or the volume of an instance.

Inputs of a flavor change: ``old`` and ``new``, each ``{"flavor_id", "vcpus", "ram_mib", "disk_gib"}``. The request
has taken the quota for a larger shape; see :mod:`trove.operations.quotas` for when it comes back.

Inputs of a volume change: ``size_gib`` and ``old_size_gib``. A volume cannot shrink, so the flow cannot unwind once
it is known to have grown.

Input of both: ``restart_required``, whether a change of the configuration waits for a restart. Another shape brings
one; a larger volume and a failure do not.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.taskmanager import settle
from trove.taskmanager.steps import factories, guest, outside, server
from trove.workflow.model import Flow, StepContext


def _flavor_resized(ctx: StepContext, session: Session) -> None:
    new = ctx.inputs["new"]
    settle.succeeded(
        session,
        ctx,
        ctx.resource_id,
        "resized",
        flavor_id=new["flavor_id"],
        vcpus=new["vcpus"],
        ram_mib=new["ram_mib"],
        disk_gib=new["disk_gib"],
    )


def _volume_resized(ctx: StepContext, session: Session) -> None:
    event = "resized_for_restart" if ctx.inputs.get("restart_required") else "resized"
    settle.succeeded(session, ctx, ctx.resource_id, event, volume_gib=ctx.inputs["size_gib"])


def _failed(ctx: StepContext, session: Session) -> None:
    waits = ctx.inputs.get("restart_required")
    settle.failed(session, ctx, ctx.resource_id, "resize_failed_for_restart" if waits else "resize_failed")


def _parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, ctx.resource_id, _failed)


FLAVOR = Flow(
    kind=operations.INSTANCE_RESIZE_FLAVOR.name,
    version=1,
    steps=(
        server.ResizeServer(),
        guest.GuestStep(
            "reconfigure-datastore",
            factories.make_reconfigure("new"),
            "fit the database to its new size",
            timeout=guest.ENGINE_TIMEOUT,
            unmake=factories.make_reconfigure("old"),
        ),
    ),
    on_success=_flavor_resized,
    on_reverted=_failed,
    on_parked=_parked,
    timeout=operations.INSTANCE_RESIZE_FLAVOR.timeout,
)

VOLUME = Flow(
    kind=operations.INSTANCE_RESIZE_VOLUME.name,
    version=1,
    steps=(
        outside.GrowVolume(),
        guest.GuestStep(
            "grow-filesystem", factories.make_grow_volume, "use the larger volume", timeout=guest.ENGINE_TIMEOUT
        ),
    ),
    on_success=_volume_resized,
    on_reverted=_failed,
    on_parked=_parked,
    pivot="grow-volume",
    timeout=operations.INSTANCE_RESIZE_VOLUME.timeout,
)
