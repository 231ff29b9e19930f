# SPDX-License-Identifier: Apache-2.0
"""A change of who may reach an instance: merged with what holds, judged, and left to a workflow."""

from collections.abc import Mapping
from typing import Any

from trove.api import lifecycle
from trove.api.controllers import instance_placement
from trove.common import exception
from trove.domain import access, instance_states, operations
from trove.objects.instance import Instance


def change(work: lifecycle.Work, instance: Instance, wanted: Mapping[str, Any]) -> None:
    """Accept a new access for ``instance``; one that it has already changes nothing.

    :raises ValidationFailed: for what is no network.
    :raises NotSupported: naming what the provider cannot do.
    """
    reach = access.merge(instance.access, wanted)
    reasons = access.reasons(reach)
    if reasons:
        raise exception.ValidationFailed(reasons)
    needs = instance_placement.reach_needs(reach)
    if wanted.get("allowed_cidrs") is not None:
        # Also to take everything: what cannot be told to take less would ignore it.
        needs["'access.allowed_cidrs'"] = instance_placement.Capability.ACCESS_RULES
    lacking = instance_placement.lacks(work.req, needs)
    if lacking:
        raise exception.NotSupported(f"This service cannot do that: {'; '.join(lacking)}.")
    if reach == access.merge(instance.access, {}):
        return
    waits = instance.status == instance_states.RESTART_REQUIRED
    before = dict(instance.access)
    instance.process_event(work.session, "update")
    inputs = {"old": before, "new": reach, "restart_required": waits}
    work.submit(operations.INSTANCE_UPDATE_ACCESS, instance, inputs)
