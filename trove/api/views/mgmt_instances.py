# SPDX-License-Identifier: Apache-2.0
"""Instances as operators see them: what owners see, and the facts below."""

from typing import Any

from trove.api import microversions
from trove.api.request import ApiRequest
from trove.api.views import instances
from trove.common import clock
from trove.domain import instance_states
from trove.objects.instance_listing import InstanceRow
from trove.objects.root_history import RootHistory

_GIB = 2**30

#: What is in progress, in a sentence, by status.
_TASKS = {
    instance_states.BUILD: "The instance is being created.",
    instance_states.REBOOT: "The database or its machine is being restarted.",
    instance_states.RESIZE: "Shape or volume of the instance is being changed.",
    instance_states.UPDATING: "The instance is being changed.",
    instance_states.RESTART_REQUIRED: "A configuration change waits for a restart.",
    instance_states.SHUTDOWN: "The instance is being deleted.",
}
_IDLE = "Nothing is in progress."


def summary(req: ApiRequest, row: InstanceRow) -> dict[str, Any]:
    """Return the form of a list. What an owner would have to ask an operator for is ``null`` where it is not known."""
    shown = {
        **instances.detail(req, row),
        "tenant_id": row.project_id,
        "server": _server(row),
        "server_id": row.server_id,
        "volume_id": row.volume_id,
        "encrypted_rpc_messaging": True,
        "service_status": instance_states.OPERATING_WORD.get(row.service_status, "ERROR"),
        "task_description": _TASKS.get(row.status, _IDLE),
        "deleted": row.deleted,
        "deleted_at": None if row.deleted_at is None else clock.isoformat(row.deleted_at),
    }
    if req.version >= microversions.OPERATIONS:
        placed = row.provider is not None
        shown["placement"] = {"provider": row.provider, "host": row.host, "zone": row.zone} if placed else None
    return shown


def detail(req: ApiRequest, row: InstanceRow, history: RootHistory | None) -> dict[str, Any]:
    """Return the form of one instance, with its volume, and with who enabled the superuser first if anybody has."""
    shown = summary(req, row)
    if row.addresses and shown["server"] is not None:
        shown["server"]["addresses"] = row.addresses
    shown["guest_status"] = {"state_description": row.service_status}
    if row.volume_gib:
        shown["volume"] = {"size": row.volume_gib, "id": row.volume_id, **instances.usage(row)}
        if row.volume_total_bytes is not None:
            shown["volume"]["total"] = round(row.volume_total_bytes / _GIB, 2)
    if history is not None:
        shown["root_enabled"] = clock.isoformat(history.first_enabled_at)
        shown["root_enabled_by"] = history.first_enabled_by
    return shown


def root(instance_id: str, history: RootHistory | None) -> dict[str, Any]:
    """Return who enabled the superuser first, in the words that clients know for nobody."""
    moment = "Never" if history is None else clock.isoformat(history.first_enabled_at)
    user = "Nobody" if history is None else history.first_enabled_by or "Unknown"
    return {"id": instance_id, "enabled": moment, "user": user, "created": moment}


def _server(row: InstanceRow) -> dict[str, Any] | None:
    if row.server_id is None:
        return None
    return {"id": row.server_id, "name": row.name, "tenant_id": row.project_id}
