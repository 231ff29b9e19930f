# SPDX-License-Identifier: Apache-2.0
"""Instances as clients know them.

Optional members are left out, never ``null``: existing clients test for presence and then index.
"""

from typing import Any

from trove.api import links, microversions
from trove.api.request import ApiRequest
from trove.common import clock
from trove.domain import instance_states
from trove.objects.instance_listing import InstanceRow

_GIB = 2**30


def summary(req: ApiRequest, row: InstanceRow) -> dict[str, Any]:
    """Return the short form, as in ``GET instances``."""
    shown: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "status": public_status(req, row.status),
        "operating_status": instance_states.operating_status(
            row.status,
            row.service_status,
            row.reported_at,
            row.read_at,
            req.services.conf.guest_bus.agent_heartbeat_expiry,
        ),
        "links": links.resource(req.base_url, req.project_id, "instances", row.id),
        "flavor": {
            "id": row.flavor_id,
            "links": links.resource(req.base_url, req.project_id, "flavors", row.flavor_id),
        },
        "datastore": {"type": row.datastore_name, "version": row.version_name},
        "region": row.region,
        "access": row.access,
    }
    if req.context.is_admin:
        shown["tenant_id"] = row.project_id
    if row.volume_gib:
        shown["volume"] = {"size": row.volume_gib}
    if row.addresses:
        shown["ip"] = [item["address"] for item in row.addresses]
        shown["addresses"] = row.addresses
        # What clients connect to; Heat and the dashboard read it and find no use for the lists.
        shown["hostname"] = shown["ip"][0]
    if req.version >= microversions.STRICT and row.addresses and row.port:
        shown["endpoints"] = [{"address": item["address"], "port": row.port} for item in row.addresses]
    return shown


def public_status(req: ApiRequest, status: str) -> str:
    """Return the word for a stored status that the request's version knows."""
    if status == instance_states.UPDATING and req.version < microversions.DETAILED:
        return instance_states.ACTIVE
    return status


def detail(req: ApiRequest, row: InstanceRow, *, with_usage: bool = False) -> dict[str, Any]:
    """Return the long form.

    :param with_usage: add what the guest said last of its volume, as in ``GET instances/{id}``.
    """
    shown = summary(req, row)
    shown["created"] = clock.isoformat(row.created_at)
    shown["updated"] = clock.isoformat(row.updated_at)
    shown["service_status_updated"] = clock.isoformat(row.reported_at or row.created_at)
    shown["datastore"]["version_number"] = row.version_number
    if row.locality is not None:
        shown["locality"] = row.locality
    if row.fault_symbol is not None:
        shown["fault"] = fault(req, row)
    if row.configuration_id is not None:
        shown["configuration"] = {
            "id": row.configuration_id,
            "name": row.configuration_name,
            "links": links.resource(req.base_url, req.project_id, "configurations", row.configuration_id),
        }
    if req.context.is_admin:
        shown["server_id"] = row.server_id
        shown["volume_id"] = row.volume_id
        shown["encrypted_rpc_messaging"] = True
    if with_usage and "volume" in shown:
        shown["volume"].update(usage(row))
    if req.version >= microversions.STRICT:
        expiry = req.services.conf.guest_bus.agent_heartbeat_expiry
        reasons = (
            instance_states.service_reason(row.service_reason, row.reported_at, row.read_at, expiry),
            instance_states.slowed_reason(row.guest_slowed_at, row.read_at),
        )
        if any(reasons):
            shown["service_status_reason"] = " ".join(reason for reason in reasons if reason)
    return shown


def fault(req: ApiRequest, row: InstanceRow) -> dict[str, Any]:
    """Return the current fault; its details are for administrators."""
    assert row.fault_created_at is not None  # a fault has all its columns
    shown = {
        "message": row.fault_message,
        "created": clock.isoformat(row.fault_created_at),
        "details": row.fault_details if req.context.is_admin else None,
    }
    if req.version >= microversions.STRICT:
        shown["symbol"] = row.fault_symbol
    return shown


def usage(row: InstanceRow) -> dict[str, float]:
    """Return what is used of the volume: GiB with two decimals, and percent."""
    if row.volume_used_bytes is None:
        return {}
    shown = {"used": round(row.volume_used_bytes / _GIB, 2)}
    if row.volume_total_bytes:
        shown["used_percent"] = round(100 * row.volume_used_bytes / row.volume_total_bytes, 2)
    if row.wal_bytes is not None:
        shown["wal_size"] = round(row.wal_bytes / _GIB, 2)
    return shown
