# SPDX-License-Identifier: Apache-2.0
"""What the API tells of the requests it accepts.

The start of an event is written in the transaction that accepts the request, so a refused request tells nothing and
there is never a start without an end. What a workflow has to finish is handed on in its inputs; what is complete with
the transaction is told as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from trove.api.request import ApiRequest
from trove.conf import notifications
from trove.domain import notices, operations
from trove.domain.notices import Notice
from trove.objects import catalog, notification
from trove.objects.instance import Instance
from trove.wire import command


def begin(req: ApiRequest, session: Session, told: Sequence[Notice], project_id: str) -> list[dict[str, Any]] | None:
    """Write the starts of ``told`` and return them as a workflow keeps them; ``None`` when nobody wants to know."""
    if not told or not notifications.enabled(req.services.conf):
        return None
    kept = [{"event": notice.event, "payload": {**_common(req, project_id), **notice.payload}} for notice in told]
    for item in kept:
        _write(req, session, item, notices.START)
    return kept


def announce(req: ApiRequest, session: Session, notice: Notice, project_id: str, end: Mapping[str, Any]) -> None:
    """Tell start and end of what this transaction completes; ``end`` is what its end adds."""
    for item in begin(req, session, [notice], project_id) or ():
        _write(req, session, {**item, "payload": {**item["payload"], **end}}, notices.END)


def abandoned(req: ApiRequest, session: Session, kept: Sequence[Mapping[str, Any]], symbol: str, detail: str) -> None:
    """Tell that a request which began before was ended by force."""
    for item in kept:
        failed = {**item, "payload": {**item["payload"], **notices.error_members(symbol, detail)}}
        _write(req, session, failed, notices.ERROR)


def _common(req: ApiRequest, project_id: str) -> dict[str, Any]:
    conf = req.services.conf
    return {
        "tenant_id": project_id,
        "client_ip": req.context.client_address,
        "server_ip": conf.host,
        "server_type": "api",
        "request_id": req.context.request_id,
    }


def _write(req: ApiRequest, session: Session, item: Mapping[str, Any], phase: str) -> None:
    publisher = f"api.{req.services.conf.host}"
    notification.add(session, notices.event_type(item["event"], phase), publisher, [item["payload"]])


def of_creation(
    instance: Instance,
    version: catalog.DatastoreVersion,
    databases: Sequence[Mapping[str, Any]],
    users: Sequence[Mapping[str, Any]],
) -> Notice:
    """Return the event of the creation of ``instance``; of the users only the names are told."""
    told = {
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
    return Notice("instance_create", told)


def of_instance(kind: operations.Kind, instance: Instance, inputs: Mapping[str, Any]) -> list[Notice]:
    """Return the event of a request for ``kind``, an exclusive one, on ``instance``; none for kinds without one."""
    if kind is operations.INSTANCE_CONFIGURE:
        return _of_group(instance, inputs)
    if kind.name not in _OF_KIND:
        return []
    event, more = _OF_KIND[kind.name]
    return [Notice(event, {"instance_id": instance.id, **more(inputs)})]


def _of_group(instance: Instance, inputs: Mapping[str, Any]) -> list[Notice]:
    # Without a previous group the instance keeps the one it has, whose change is told as the group's own.
    if "previous" not in inputs:
        return []
    group_id = inputs["configuration_id"]
    if group_id is None:
        return [Notice("instance_detach_configuration", {"instance_id": instance.id})]
    return [Notice("instance_attach_configuration", {"instance_id": instance.id, "configuration_id": group_id})]


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


def of_command(instance: Instance, change: command.Command) -> list[Notice]:
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
    return [Notice(event, {"instance_id": instance.id, **more}) for event, more in found]
