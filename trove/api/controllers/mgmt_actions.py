# SPDX-License-Identifier: Apache-2.0
"""What operators do to an instance: stop its database, restart or move its machine, give up what is in progress. The
body has exactly one action, and names the policy that counts."""

from collections.abc import Callable, Mapping
from typing import Any

from trove.api import refusals, transactions
from trove.api.request import ApiRequest, Reply
from trove.domain import instance_states, operations
from trove.objects import errors, heartbeat
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import interrupting, submitting
from trove.operations.work import Work
from trove.wire import command

Action = Callable[[ApiRequest, Work, Instance, Any], None]

#: In these nothing that stops or starts its database is in progress on an instance, so that may be stopped.
_IDLE = frozenset({instance_states.ACTIVE, instance_states.RESTART_REQUIRED, instance_states.UPDATING})


@transactions.transactional
def run(req: ApiRequest, work: Work) -> Reply:
    """Run the one action in the body."""
    ((name, argument),) = req.body.items()
    req.authorize(f"mgmt:instance:{name.replace('-', '_')}")
    instance = Instance.get(work.session, Scope.ALL, req.path["instance_id"])
    _ACTIONS[name](req, work, instance, argument)
    return Reply()


def _stop(_req: ApiRequest, work: Work, instance: Instance, _argument: Any) -> None:
    if instance.status not in _IDLE:
        raise errors.InvalidInstanceState(instance.id, instance.status, "stop")
    submitting.edit(work, operations.DATASTORE_STOP, instance, command.StopEngine())


def _reboot(req: ApiRequest, work: Work, instance: Instance, _argument: Any) -> None:
    _require(req, instance, "reboot-server")
    why = "a restart of the server has taken its place"
    if not interrupting.take_over(work, instance, operations.INSTANCE_RESTART, why):
        instance.process_event(work.session, "restart")
    inputs = {"agent_silent": True} if _is_silent(work, instance) else {}
    submitting.submit(work, operations.INSTANCE_REBOOT, instance, inputs)


def _is_silent(work: Work, instance: Instance) -> bool:
    beat = heartbeat.get(work.session, instance.id)
    expiry = work.conf.guest_bus.agent_heartbeat_expiry
    return beat is not None and instance_states.is_silent(beat.reported_at, work.now(), expiry)


def _migrate(req: ApiRequest, work: Work, instance: Instance, argument: Mapping[str, Any] | None) -> None:
    _require(req, instance, "migrate-server")
    waiting = instance.status == instance_states.RESTART_REQUIRED
    instance.process_event(work.session, "update")
    inputs = {"host": (argument or {}).get("host"), "restart_required": waiting}
    submitting.submit(work, operations.INSTANCE_MIGRATE, instance, inputs)


def _rebuild(_req: ApiRequest, _work: Work, _instance: Instance, _argument: Any) -> None:
    raise refusals.lacking("rebuild")


def _reset(_req: ApiRequest, work: Work, instance: Instance, _argument: Any) -> None:
    interrupting.reset(work, instance)


def _require(req: ApiRequest, instance: Instance, capability: str) -> None:
    if capability not in req.services.providers.of(instance.provider).capabilities:
        raise refusals.lacking(capability)


_ACTIONS: Mapping[str, Action] = {
    "stop": _stop,
    "reboot": _reboot,
    "migrate": _migrate,
    "rebuild": _rebuild,
    "reset-task-status": _reset,
}
