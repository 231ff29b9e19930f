# SPDX-License-Identifier: Apache-2.0
"""What a taskmanager tells of the work it ends: the end or the error of what the API announced, and the use of
instances.

Written in the transaction that ends the workflow, as :mod:`trove.api.notices` wrote the start in the one that accepted
it. A workflow whose request announced nothing tells nothing.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from sqlalchemy.orm import Session

from trove.common import clock, redact
from trove.domain import notices, operations
from trove.objects import instance_listing, notification
from trove.objects.scope import Scope
from trove.workflow.model import Flow, Hook, StepContext


def announcing(flow: Flow) -> Flow:
    """Return ``flow`` so that its end is told."""
    return dataclasses.replace(
        flow, on_success=_then(flow.on_success, succeeded), on_reverted=_then(flow.on_reverted, failed)
    )


def _then(first: Hook, second: Hook) -> Hook:
    def both(ctx: StepContext, session: Session) -> None:
        first(ctx, session)
        if ctx.inputs.get(notices.INPUT):
            second(ctx, session)

    return both


def succeeded(ctx: StepContext, session: Session) -> None:
    """Tell that the work of ``ctx`` is done."""
    _tell(ctx, session, notices.END, {})
    if ctx.kind == operations.INSTANCE_CREATE.name:
        row = _row(session, ctx.resource_id)
        more = {
            "volume_size": row.volume_gib,
            "nova_volume_id": row.volume_id,
            "availability_zone": row.availability_zone,
            "instance_size": row.ram_mib,
        }
        use(session, ctx.env.conf, "create", row, more)
    elif ctx.kind == operations.INSTANCE_RESIZE_FLAVOR.name:
        row = _row(session, ctx.resource_id)
        sizes = {"old_instance_size": ctx.inputs["old"]["ram_mib"], "instance_size": ctx.inputs["new"]["ram_mib"]}
        use(session, ctx.env.conf, "modify_flavor", row, {**sizes, "modify_at": clock.isoformat(row.updated_at)})
    elif ctx.kind == operations.INSTANCE_DELETE.name:
        row = _row(session, ctx.resource_id)
        ended = row.deleted_at or row.updated_at
        use(session, ctx.env.conf, "delete", row, {"deleted_at": clock.isoformat(ended)})


def failed(ctx: StepContext, session: Session) -> None:
    """Tell that the work of ``ctx`` came to nothing, and why."""
    assert ctx.error is not None  # nothing is reverted without a reason
    _tell(ctx, session, notices.ERROR, notices.error_members(ctx.error.symbol, redact.mask_text(ctx.error.message)))


def _tell(ctx: StepContext, session: Session, phase: str, more: Mapping[str, Any]) -> None:
    # An operator's command line has no environment of a service.
    publisher = f"taskmanager.{ctx.env.conf.host}" if ctx.env is not None else "manage"
    for item in ctx.inputs.get(notices.INPUT) or ():
        payload = {**item["payload"], "instance_id": ctx.resource_id, **more}
        notification.add(session, notices.event_type(item["event"], phase), publisher, [payload])


def _row(session: Session, instance_id: str) -> instance_listing.InstanceRow:
    return instance_listing.get_row(session, Scope.ALL, instance_id, include_deleted=True)


def use(
    session: Session,
    conf: cfg.ConfigOpts,
    event: str,
    row: instance_listing.InstanceRow,
    more: Mapping[str, Any],
) -> None:
    """Tell of the use of one instance: ``trove.instance.<event>``."""
    payload = {**usage_payload(conf, row), **more}
    notification.add(session, f"trove.instance.{event}", conf.host, [payload])


def usage_payload(conf: cfg.ConfigOpts, row: instance_listing.InstanceRow) -> dict[str, Any]:
    """Return what every event on the use of an instance says."""
    facts = row._asdict()
    for name in ("created_at", "launched_at"):
        facts[name] = None if facts[name] is None else clock.isoformat(facts[name])
    return notices.usage(facts, conf.notification_service_id)
