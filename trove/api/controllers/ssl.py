# SPDX-License-Identifier: Apache-2.0
"""Encryption of connections to an instance, which the service cannot set up yet."""

from trove.api import refusals
from trove.api.request import ApiRequest, Reply
from trove.common import exception


def show(req: ApiRequest) -> Reply:
    """Refuse to tell."""
    refusals.find_instance(req)
    return refusals.refuse(req)


def change(req: ApiRequest) -> Reply:
    """Refuse to change it; whatever is wrong with the request is said first."""
    refusals.find_instance(req)
    asked = req.body["ssl"]
    wanted = [name for name in ("enable", "disable", "rollback") if asked.get(name)]
    reasons = []
    if len(wanted) != 1:
        reasons.append("ssl must have exactly one of enable, disable and rollback")
    if asked.get("enable") and not asked.get("container_ref"):
        reasons.append("ssl.container_ref is required with ssl.enable")
    if reasons:
        raise exception.ValidationFailed(reasons)
    return refusals.refuse(req)
