# SPDX-License-Identifier: Apache-2.0
"""The notifications of an operation: its start, its end or its error, and the use of instances.

The start of an event is written in the transaction that accepts an operation, so what is refused leaves none and there
is never a start without an end. What a workflow has to finish is handed on in its inputs, and finished in the
transaction that ends it; what is complete when it is accepted gets start and end at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from trove.common import clock, redact
from trove.conf import notifications as options
from trove.domain import notifications, operations
from trove.domain.notifications import Event
from trove.objects import instance_listing, notification
from trove.objects.scope import Scope
from trove.operations.accepted import Accepted
from trove.operations.work import Work
from trove.workflow.model import Failed


def start(work: Work, events: Sequence[Event], project_id: str) -> list[dict[str, Any]] | None:
    """Write the starts of ``events`` and return them as a workflow keeps them; ``None`` when nobody wants to know."""
    if not events or not options.enabled(work.conf):
        return None
    kept = [{"event": event.name, "payload": {**_common(work, project_id), **event.payload}} for event in events]
    for item in kept:
        _write(work, item, notifications.START, {})
    return kept


def complete(work: Work, event: Event, project_id: str, **end: Any) -> None:
    """Write start and end of what this transaction completes; ``end`` is what its end adds."""
    for item in start(work, [event], project_id) or ():
        _write(work, item, notifications.END, end)


def succeed(work: Work, accepted: Accepted) -> None:
    """Write the end of what ``accepted`` has started, and what it says about the use of its instance."""
    started = _started(accepted)
    for item in started:
        _write(work, item, notifications.END, {"instance_id": accepted.resource_id})
    if started:
        _write_use(work, accepted)


def fail(work: Work, accepted: Accepted, error: Failed) -> None:
    """Write that what ``accepted`` has started came to nothing, and why."""
    why = notifications.error_members(error.symbol, redact.mask_text(error.message))
    for item in _started(accepted):
        _write(work, item, notifications.ERROR, {"instance_id": accepted.resource_id, **why})


def usage_payload(conf: cfg.ConfigOpts, row: instance_listing.InstanceRow) -> dict[str, Any]:
    """Return what every event on the use of an instance says."""
    facts = row._asdict()
    for name in ("created_at", "launched_at"):
        facts[name] = None if facts[name] is None else clock.isoformat(facts[name])
    return notifications.usage(facts, conf.notification_service_id)


def _started(accepted: Accepted) -> Sequence[Mapping[str, Any]]:
    return accepted.inputs.get(notifications.INPUT) or ()


def _common(work: Work, project_id: str) -> dict[str, Any]:
    return {
        "tenant_id": project_id,
        "client_ip": work.caller.client_address,
        "server_ip": work.conf.host,
        "server_type": work.caller.program,
        "request_id": work.caller.request_id,
    }


def _write(work: Work, item: Mapping[str, Any], phase: str, more: Mapping[str, Any]) -> None:
    publisher = f"{work.caller.program}.{work.conf.host}"
    event_type = notifications.event_type(item["event"], phase)
    notification.add(work.session, event_type, publisher, [{**item["payload"], **more}])


def _write_use(work: Work, accepted: Accepted) -> None:
    if accepted.kind not in _USE:
        return
    row = instance_listing.get_row(work.session, Scope.ALL, accepted.resource_id, include_deleted=True)
    event, more = _USE[accepted.kind](accepted, row)
    payload = {**usage_payload(work.conf, row), **more}
    notification.add(work.session, f"trove.instance.{event}", work.conf.host, [payload])


def _created(_accepted: Accepted, row: instance_listing.InstanceRow) -> tuple[str, dict[str, Any]]:
    return "create", {
        "volume_size": row.volume_gib,
        "nova_volume_id": row.volume_id,
        "availability_zone": row.availability_zone,
        "instance_size": row.ram_mib,
    }


def _resized(accepted: Accepted, row: instance_listing.InstanceRow) -> tuple[str, dict[str, Any]]:
    old, new = accepted.inputs["old"], accepted.inputs["new"]
    sizes = {"old_instance_size": old["ram_mib"], "instance_size": new["ram_mib"]}
    return "modify_flavor", {**sizes, "modify_at": clock.isoformat(row.updated_at)}


def _deleted(_accepted: Accepted, row: instance_listing.InstanceRow) -> tuple[str, dict[str, Any]]:
    return "delete", {"deleted_at": clock.isoformat(row.deleted_at or row.updated_at)}


#: The kinds whose success changes what an instance uses.
_USE = {
    operations.INSTANCE_CREATE.name: _created,
    operations.INSTANCE_RESIZE_FLAVOR.name: _resized,
    operations.INSTANCE_DELETE.name: _deleted,
}
