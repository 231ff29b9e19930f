# SPDX-License-Identifier: Apache-2.0
"""Actions on an instance: restart, resize, reset the status. The body has exactly one, and names the policy that
counts."""

from collections.abc import Callable, Mapping
from typing import Any

from trove.api import transactions
from trove.api.request import ApiRequest, Reply
from trove.api.requests import plugins, sizes
from trove.common import exception
from trove.datastores import spi
from trove.domain import instance_states, operations
from trove.objects import association, catalog
from trove.objects.instance import Instance
from trove.operations import interrupting, submitting
from trove.operations.work import Work


@transactions.transactional
def run(req: ApiRequest, work: Work) -> Reply:
    """Run the one action in the body."""
    ((name, argument),) = req.body.items()
    rule, action = _select(name, argument)
    instance = work.instance(req.path["instance_id"])
    req.authorize(rule, instance.project_id)
    action(req, work, instance, argument)
    return Reply()


Action = Callable[[ApiRequest, Work, Instance, Any], None]


def _select(name: str, argument: Any) -> tuple[str, Action]:
    if name == "restart":
        return "instance:restart", _restart
    if name in _OF_REPLICAS:
        return f"instance:{name}", _OF_REPLICAS[name]
    if name == "reset_status":
        if isinstance(argument, Mapping) and "force_delete" in argument:
            return "instance:force_delete", _force_delete
        return "instance:reset_status", _reset_status
    if "volume" in argument:
        return "instance:resize_volume", _resize_volume
    return "instance:resize_flavor", _resize_flavor


def _restart(_req: ApiRequest, work: Work, instance: Instance, _argument: Any) -> None:
    instance.process_event(work.session, "restart")
    submitting.submit(work, operations.INSTANCE_RESTART, instance, {})


def _resize_flavor(req: ApiRequest, work: Work, instance: Instance, argument: Mapping[str, Any]) -> None:
    flavor = sizes.find_flavor(work.session, argument["flavorRef"])
    if flavor.id == instance.flavor_id:
        raise exception.BadRequest(f"Instance {instance.id} has flavor {flavor.id} already.")
    version = catalog.DatastoreVersion.get(work.session, instance.datastore_version_id)
    association.check_flavor(work.session, version, flavor.id)
    plugin = plugins.find(req, version.manager)
    reasons = plugin.validate_size(flavor.ram_mib, instance.volume_gib)
    if reasons:
        raise exception.ValidationFailed(reasons)
    old = _shape(instance.flavor_id, instance)
    waits = instance.status == instance_states.RESTART_REQUIRED
    instance.process_event(work.session, "resize")
    inputs = {"old": old, "new": _shape(flavor.id, flavor), "restart_required": waits}
    submitting.submit(work, operations.INSTANCE_RESIZE_FLAVOR, instance, inputs)


def _resize_volume(req: ApiRequest, work: Work, instance: Instance, argument: Mapping[str, Any]) -> None:
    volume = argument["volume"]
    size = int(volume["size"] if isinstance(volume, Mapping) else volume)
    plugin = _plugin(req, work, instance)
    plugins.require(plugin, spi.Capability.VOLUME)
    if size <= instance.volume_gib:
        raise exception.BadRequest(f"The new size must be more than the present {instance.volume_gib} GB.")
    sizes.check_volume(req, size)
    waits = instance.status == instance_states.RESTART_REQUIRED
    instance.process_event(work.session, "resize")
    inputs = {"size_gib": size, "old_size_gib": instance.volume_gib, "restart_required": waits}
    submitting.submit(work, operations.INSTANCE_RESIZE_VOLUME, instance, inputs)


def _reset_status(_req: ApiRequest, work: Work, instance: Instance, _argument: Any) -> None:
    interrupting.reset(work, instance)


def _force_delete(_req: ApiRequest, work: Work, instance: Instance, _argument: Any) -> None:
    # Owners may do this and must not get at a reset by it. A deletion is accepted whatever is in progress, so it is
    # begun here; the DELETE that clients send next changes nothing.
    interrupting.delete(work, instance)


def _promote(_req: ApiRequest, _work: Work, instance: Instance, _argument: Any) -> None:
    raise exception.BadRequest(f"Instance {instance.id} is not a replica.")


def _eject(_req: ApiRequest, _work: Work, instance: Instance, _argument: Any) -> None:
    raise exception.BadRequest(f"Instance {instance.id} has no replicas.")


#: Nothing is a replica or has one in this release.
_OF_REPLICAS: Mapping[str, Action] = {"promote_to_replica_source": _promote, "eject_replica_source": _eject}


def _plugin(req: ApiRequest, work: Work, instance: Instance) -> spi.Plugin:
    version = catalog.DatastoreVersion.get(work.session, instance.datastore_version_id)
    return plugins.find(req, version.manager)


def _shape(flavor_id: str, source: Any) -> dict[str, Any]:
    return {
        "flavor_id": flavor_id,
        "vcpus": source.vcpus,
        "ram_mib": source.ram_mib,
        "disk_gib": source.disk_gib,
    }
