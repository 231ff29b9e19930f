# SPDX-License-Identifier: Apache-2.0
"""Who may reach an instance: ``{"is_public": bool, "allowed_cidrs": [..]}`` as requests and rows have it."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def reasons(wanted: Mapping[str, Any]) -> list[str]:
    """Return why ``wanted`` cannot be honoured by anybody: what is not a network, and what stands there twice."""
    found = [
        f"access.allowed_cidrs has {cidr!a}, which is not a network such as 192.0.2.0/24 or 2001:db8::/32"
        for cidr in wanted.get("allowed_cidrs") or ()
        if _network(cidr) is None
    ]
    cidrs = wanted.get("allowed_cidrs") or ()
    return found or (["access.allowed_cidrs has a network twice"] if len(set(cidrs)) != len(cidrs) else [])


def merge(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``present`` changed by what ``wanted`` says; what it leaves out stays."""
    return {**{"is_public": False}, **present, **{key: value for key, value in wanted.items() if value is not None}}


def restriction(access: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the networks that connections are taken from; empty: from everywhere.

    An empty list lets nobody in: that is said with a network that no host is in, because empty means everywhere to
    providers.
    """
    cidrs: Sequence[str] | None = access.get("allowed_cidrs")
    if cidrs is None or _EVERYWHERE & set(cidrs):
        return ()
    return tuple(cidrs) or NOBODY


#: The unspecified address, which nobody can connect from.
NOBODY = ("0.0.0.0/32",)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
