# SPDX-License-Identifier: Apache-2.0
"""A change of who may reach an instance: merged with what holds, or will when what was accepted is done, judged, and
left to a workflow. One that waits is superseded by the next."""

from collections.abc import Mapping
from typing import Any

from trove.api.request import ApiRequest
from trove.api.requests import placement
from trove.common import exception
from trove.domain import access, instance_states, operations
from trove.objects.instance import Instance
from trove.operations import ending, submitting
from trove.operations.work import Work
from trove.providers.registry import Traits

#: In any other state a change of the access may be under way.
_IDLE = frozenset({instance_states.ACTIVE, instance_states.RESTART_REQUIRED})


def change(req: ApiRequest, work: Work, instance: Instance, wanted: Mapping[str, Any]) -> None:
    """Accept a new access for ``instance``; one that it has already changes nothing.

    One that lets in who is let in already, in other words, is only written down, and so needs nothing of the provider.

    :raises ValidationFailed: for what is no network.
    :raises NotSupported: naming what the provider cannot do.
    :raises InvalidInstanceState: while the instance is being changed.
    """
    accepted = submitting.queued(work, instance, operations.INSTANCE_UPDATE_ACCESS)
    before = accepted[-1]["inputs"]["new"] if accepted else dict(instance.access)
    reach = access.merge(before, wanted)
    reasons = access.reasons(reach)
    if reasons:
        raise exception.ValidationFailed(reasons)
    provider = req.services.providers.of(instance.provider)
    lacking = placement.lacks(provider, placement.reach_needs(provider, reach))
    if lacking:
        raise exception.NotSupported(f"This service cannot do that: {'; '.join(lacking)}.")
    present = access.merge(before, {})
    if reach == present:
        return
    if instance.status in _IDLE and not accepted and _effect(provider, reach) == _effect(provider, present):
        instance.assign({"access": reach})
        instance.save(work.session)
        return
    waits = instance.status == instance_states.RESTART_REQUIRED
    instance.process_event(work.session, "update")
    for row in accepted:
        if row["claim_key"] is None:
            ending.supersede(work, row["id"])
    inputs = {"old": before, "new": reach, "restart_required": waits}
    submitting.submit(work, operations.INSTANCE_UPDATE_ACCESS, instance, inputs)


def _effect(provider: Traits, reach: Mapping[str, Any]) -> tuple[bool, frozenset[str]]:
    public = bool(reach["is_public"]) and provider.only_network is None
    return public, frozenset(access.restriction(reach))
