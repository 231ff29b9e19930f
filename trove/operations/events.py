# SPDX-License-Identifier: Apache-2.0
"""Which events of :mod:`trove.operations.notifications` an operation is: one for each thing that it touches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trove.domain import operations
from trove.domain.notifications import Event
from trove.objects import catalog
from trove.objects.instance import Instance
from trove.wire import command


def of_creation(
    instance: Instance,
    version: catalog.DatastoreVersion,
    databases: Sequence[Mapping[str, Any]],
    users: Sequence[Mapping[str, Any]],
) -> Event:
    """Return the event of the creation of ``instance``; of the users it has only the names."""
    payload = {
        "name": instance.name,
        "flavor_id": instance.flavor_id,
        "datastore": version.datastore_name,
        "datastore_version": version.name,
        "image_id": version.image_id,
        "availability_zone": instance.availability_zone,
        "region_name": instance.region,
        "databases": [item["name"] for item in databases],
        "users": [item["name"] for item in users],
        "volume_size": instance.volume_gib,
    }
    return Event("instance_create", payload)


def of_instance(kind: operations.Kind, instance: Instance, inputs: Mapping[str, Any]) -> list[Event]:
    """Return the event of a request for ``kind``, an exclusive one, on ``instance``; none for kinds without one."""
    if kind is operations.INSTANCE_CONFIGURE:
        return _of_group(instance, inputs)
    if kind.name not in _OF_KIND:
        return []
    event, more = _OF_KIND[kind.name]
    return [Event(event, {"instance_id": instance.id, **more(inputs)})]


def _of_group(instance: Instance, inputs: Mapping[str, Any]) -> list[Event]:
    # Without a previous group the instance keeps the one it has, whose change is an event of the group's own.
    if "previous" not in inputs:
        return []
    group_id = inputs["configuration_id"]
    if group_id is None:
        return [Event("instance_detach_configuration", {"instance_id": instance.id})]
    return [Event("instance_attach_configuration", {"instance_id": instance.id, "configuration_id": group_id})]


_OF_KIND: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    operations.INSTANCE_DELETE.name: ("instance_delete", lambda inputs: {}),
    operations.INSTANCE_RESTART.name: ("instance_restart", lambda inputs: {}),
    operations.INSTANCE_REBOOT.name: ("instance_reboot", lambda inputs: {}),
    operations.INSTANCE_MIGRATE.name: ("migrate", lambda inputs: {"host": inputs.get("host")}),
    operations.INSTANCE_RESIZE_VOLUME.name: ("instance_resize_volume", lambda i: {"new_size": i["size_gib"]}),
    operations.INSTANCE_RESIZE_FLAVOR.name: (
        "instance_resize_instance",
        lambda inputs: {"new_flavor_id": inputs["new"]["flavor_id"]},
    ),
}


def of_command(instance: Instance, change: command.Command) -> list[Event]:
    """Return one event for each thing that a change inside the database of ``instance`` touches."""
    match change:
        case command.CreateDatabases():
            found = [("database_create", {"dbname": item.name}) for item in change.databases]
        case command.DropDatabase():
            found = [("database_delete", {"dbname": change.database})]
        case command.CreateUsers():
            found = [("user_create", {"username": item.name}) for item in change.users]
        case command.AlterUser():
            renamed = change.new_name is not None or change.new_host is not None
            event = "user_update_attributes" if renamed else "user_change_password"
            found = [(event, {"username": change.user.name})]
        case command.DropUser():
            found = [("user_delete", {"username": change.user.name})]
        case command.GrantAccess():
            user = change.user.name
            found = [("user_grant", {"username": user, "database": name}) for name in change.databases]
        case command.RevokeAccess():
            found = [("user_revoke", {"username": change.user.name, "database": change.database})]
        case _:
            found = []
    return [Event(event, {"instance_id": instance.id, **more}) for event, more in found]
