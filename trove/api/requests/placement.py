# SPDX-License-Identifier: Apache-2.0
"""Where a new instance shall be, and who may reach it: what the request wants, held against what the provider can."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trove.api.request import ApiRequest
from trove.common import exception
from trove.domain import access
from trove.providers.base import Capability
from trove.providers.registry import Traits


@dataclass(frozen=True)
class Placement:
    """What the provider is going to be asked for.

    :ivar nic: ``{"network", "subnet", "address"}``, each an id, an address or ``None``.
    :ivar locality: policy of the server group; ``None``: none.
    """

    availability_zone: str | None
    nic: dict[str, str | None] | None
    access: dict[str, Any]
    locality: str | None


def resolve(req: ApiRequest, provider: Traits, body: Mapping[str, Any]) -> Placement:
    """Return the placement that a create request wants; what the provider :func:`lacks` is not looked at.

    :raises ValidationFailed: with everything that makes no sense, or names what the only network does not have.
    """
    zone = body.get("availability_zone")
    nics = body.get("nics") or []
    reach = access.merge({}, body.get("access") or {})
    reasons = [*access.reasons(reach), *_zone_reasons(req, zone), *(_nic_reasons(provider, nics[0]) if nics else ())]
    if reasons:
        raise exception.ValidationFailed(reasons)
    # The only network is not chosen: every instance is in it.
    nic = _nic(nics[0]) if nics and provider.only_network is None else None
    return Placement(zone, nic, reach, body.get("locality"))


def reach_needs(provider: Traits, reach: Mapping[str, Any]) -> dict[str, Capability | None]:
    """Return what ``reach`` (an access) needs of the provider, by the member that needs it.

    In the only network there is nothing to be public to besides those who reach it anyway.
    """
    beyond = reach.get("is_public") and provider.only_network is None
    return {
        "'access.is_public'": Capability.PUBLIC_ADDRESSES if beyond else None,
        "'access.allowed_cidrs'": Capability.ACCESS_RULES if access.restriction(reach) else None,
    }


def lacks(provider: Traits, wanted: Mapping[str, Capability | None]) -> list[str]:
    """Return what the provider cannot do of ``wanted``: what it is for, and the capability it needs."""
    return [
        f"{name} needs the capability '{capability.value}'"
        for name, capability in sorted(wanted.items())
        if capability is not None and capability.value not in provider.capabilities
    ]


def needs(provider: Traits, body: Mapping[str, Any]) -> dict[str, Capability | None]:
    """Return what a create request needs of the provider, by the member that needs it."""
    chosen = body.get("nics") and provider.only_network is None
    return {
        "'availability_zone'": Capability.AVAILABILITY_ZONES if body.get("availability_zone") else None,
        "'nics'": Capability.NETWORKS if chosen else None,
        "'locality'": Capability.SERVER_GROUPS if body.get("locality") else None,
        **reach_needs(provider, body.get("access") or {}),
    }


def _zone_reasons(req: ApiRequest, zone: str | None) -> list[str]:
    known = req.services.conf.availability_zones
    if not zone or not known or zone in known:
        return []
    return [f"instance.availability_zone {zone!a} does not exist; there are: {', '.join(known)}"]


def _nic(item: Mapping[str, Any]) -> dict[str, str | None]:
    network = item.get("network_id") or item.get("net-id")
    return {"network": network, "subnet": item.get("subnet_id"), "address": item.get("ip_address")}


def _nic_reasons(provider: Traits, item: Mapping[str, Any]) -> list[str]:
    wanted, only = _nic(item), provider.only_network
    if only is not None:
        named = {str(item[name]).lower() for name in ("network_id", "net-id") if item.get(name)}
        if wanted["subnet"] or wanted["address"] or named != {only}:
            return [f"instance.nics may only name the one network of this service, {only}, and no place in it"]
        return []
    found = []
    if not wanted["network"] and not wanted["subnet"]:
        found.append("instance.nics needs network_id or subnet_id")
    if wanted["address"] and not wanted["subnet"]:
        found.append("instance.nics has ip_address and needs subnet_id with it")
    if wanted["address"] and not _is_address(wanted["address"]):
        found.append("instance.nics has an ip_address that is none")
    if item.get("network_id") and item.get("net-id") and item["network_id"] != item["net-id"]:
        found.append("instance.nics has network_id and net-id, which differ")
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
