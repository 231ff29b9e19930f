# SPDX-License-Identifier: Apache-2.0
"""What operators do to an instance: stop its database, restart or move its machine, give up what is in progress. The
body has exactly one action, and names the policy that counts."""

from collections.abc import Callable, Mapping
from typing import Any

from trove.api import lifecycle, refusals
from trove.api.request import ApiRequest, Reply
from trove.common import clock
from trove.domain import instance_states, operations
from trove.objects import errors, heartbeat
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.wire import command

Action = Callable[[lifecycle.Work, Instance, Any], None]

#: In these nothing that stops or starts its database is in progress on an instance, so that may be stopped.
_IDLE = frozenset({instance_states.ACTIVE, instance_states.RESTART_REQUIRED, instance_states.UPDATING})


@lifecycle.transactional
def run(req: ApiRequest, work: lifecycle.Work) -> Reply:
    """Run the one action in the body."""
    ((name, argument),) = req.body.items()
    req.authorize(f"mgmt:instance:{name.replace('-', '_')}")
    instance = Instance.get(work.session, Scope.ALL, req.path["instance_id"])
    _ACTIONS[name](work, instance, argument)
    return Reply()


def _stop(work: lifecycle.Work, instance: Instance, _argument: Any) -> None:
    if instance.status not in _IDLE:
        raise errors.InvalidInstanceState(instance.id, instance.status, "stop")
    work.edit(operations.DATASTORE_STOP, instance, command.StopEngine())


def _reboot(work: lifecycle.Work, instance: Instance, _argument: Any) -> None:
    _require(work, instance, "reboot-server")
    if not work.take_over(instance, operations.INSTANCE_RESTART, "a restart of the server has taken its place"):
        instance.process_event(work.session, "restart")
    work.submit(operations.INSTANCE_REBOOT, instance, {"agent_silent": True} if _is_silent(work, instance) else {})


def _is_silent(work: lifecycle.Work, instance: Instance) -> bool:
    beat = heartbeat.get(work.session, instance.id)
    expiry = work.req.services.conf.guest_bus.agent_heartbeat_expiry
    return beat is not None and instance_states.is_silent(beat.reported_at, clock.utcnow(), expiry)


def _migrate(work: lifecycle.Work, instance: Instance, argument: Mapping[str, Any] | None) -> None:
    _require(work, instance, "migrate-server")
    waiting = instance.status == instance_states.RESTART_REQUIRED
    instance.process_event(work.session, "update")
    inputs = {"host": (argument or {}).get("host"), "restart_required": waiting}
    work.submit(operations.INSTANCE_MIGRATE, instance, inputs)


def _rebuild(_work: lifecycle.Work, _instance: Instance, _argument: Any) -> None:
    raise refusals.lacking("rebuild")


def _reset(work: lifecycle.Work, instance: Instance, _argument: Any) -> None:
    work.reset(instance)


def _require(work: lifecycle.Work, instance: Instance, capability: str) -> None:
    if capability not in work.req.services.providers.of(instance.provider).capabilities:
        raise refusals.lacking(capability)


_ACTIONS: Mapping[str, Action] = {
    "stop": _stop,
    "reboot": _reboot,
    "migrate": _migrate,
    "rebuild": _rebuild,
    "reset-task-status": _reset,
}
