# SPDX-License-Identifier: Apache-2.0
"""Instances: list, show, create, change, delete."""

from collections.abc import Callable, Mapping
from typing import Any

from trove.api import paging, transactions
from trove.api.request import ApiRequest, Reply
from trove.api.requests import access, configurations, creation, modules, plugins
from trove.api.views import instances as view
from trove.common import exception
from trove.datastores import spi
from trove.domain import operations
from trove.objects import instance_listing, secret, server_group
from trove.objects.instance import Instance
from trove.objects.instance_listing import InstanceRow
from trove.objects.scope import Scope
from trove.operations import events, interrupting, quotas, submitting
from trove.operations.work import Work
from trove.wire import command


def index(req: ApiRequest) -> Reply:
    """List the project's instances, short."""
    return _list(req, view.summary)


def detail(req: ApiRequest) -> Reply:
    """List the project's instances with details."""
    return _list(req, view.detail)


def _list(req: ApiRequest, render: Callable[[ApiRequest, InstanceRow], dict[str, Any]]) -> Reply:
    page = paging.Page.of(req, "instances_page_size")
    scope = Scope.project(req.project_id)
    with req.services.db.reader() as session:
        rows = instance_listing.list_rows(session, scope, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("instances", rows, lambda row: row.id)
    newest_first = sorted(kept, key=lambda row: row.created_at, reverse=True)
    return Reply({"instances": [render(req, row) for row in newest_first], **links})


def show(req: ApiRequest) -> Reply:
    """Show one instance."""
    with req.services.db.reader() as session:
        row = instance_listing.get_row(session, req.scope, req.path["instance_id"])
    return Reply({"instance": view.detail(req, row, with_usage=True)})


@transactions.transactional
def create(req: ApiRequest, work: Work) -> Reply:
    """Accept a new instance: everything is checked here, and the row, its quota and its workflow are one
    transaction."""
    body = req.body["instance"]
    for key, rule in (("users", "instance:extension:user:create"), ("databases", "instance:extension:database:create")):
        if body.get(key):
            req.authorize(rule)
    if body.get("configuration"):
        req.authorize("instance:update")
    if body.get("modules"):
        req.authorize("instance:module_apply")
    wanted = creation.look_up(req, work.session, body)
    quotas.take_for_instance(
        work, req.project_id, wanted.version, ram_mib=wanted.flavor.ram_mib, volume_gib=wanted.volume_gib
    )
    instance = Instance(
        project_id=req.project_id,
        user_id=req.context.user_id,
        name=body["name"],
        datastore_version_id=wanted.version.id,
        flavor_id=wanted.flavor.id,
        vcpus=wanted.flavor.vcpus,
        ram_mib=wanted.flavor.ram_mib,
        disk_gib=wanted.flavor.disk_gib,
        volume_gib=wanted.volume_gib,
        volume_type=wanted.volume_type,
        region=req.services.conf.region,
        availability_zone=wanted.place.availability_zone,
        access=wanted.place.access,
        configuration_id=wanted.configuration_id,
    )
    if wanted.place.locality:
        instance.server_group_id = server_group.create(work.session, req.project_id, wanted.place.locality)
    instance.create(work.session)
    modules.give(req, work.session, instance.id, wanted.version, body.get("modules") or ())
    # Passwords must not stand in a workflow's inputs.
    users = secret.put(work.session, instance.id, "users", wanted.users) if wanted.users else None
    inputs = {"databases": wanted.databases, "users_secret": users, "nic": wanted.place.nic}
    event = events.of_creation(instance, wanted.version, wanted.databases, wanted.users)
    submitting.submit(work, operations.INSTANCE_CREATE, instance, inputs, events=[event])
    row = instance_listing.get_row(work.session, Scope.project(req.project_id), instance.id)
    return Reply({"instance": view.detail(req, row)})


def configuration(req: ApiRequest) -> Reply:
    """Show the configuration that Trove gives an instance of this size; its configuration group is not in it."""
    with req.services.db.reader() as session:
        row = instance_listing.get_row(session, req.scope, req.path["instance_id"])
    plugin = plugins.find(req, row.manager)
    plugins.require(plugin, spi.Capability.CONFIGURATION)
    shape = command.ShapeSpec(vcpus=row.vcpus, ram_mib=row.ram_mib, volume_gib=row.volume_gib)
    return Reply({"instance": {"configuration": dict(plugin.default_configuration(row.version_number, shape))}})


@transactions.transactional
def update(req: ApiRequest, work: Work) -> Reply:
    """Change an instance (PUT). Existing clients that detach its configuration group may send nothing at all."""
    return _change(req, work, req.body["instance"] or {"configuration": None})


@transactions.transactional
def edit(req: ApiRequest, work: Work) -> Reply:
    """Change an instance (PATCH)."""
    return _change(req, work, req.body["instance"])


def _change(req: ApiRequest, work: Work, changes: Mapping[str, Any]) -> Reply:
    besides = [key for key in changes if key != "name"]
    if len(besides) > 1:
        raise exception.BadRequest(f"Only one of {', '.join(sorted(besides))} can be changed in one request.")
    instance = work.instance(req.path["instance_id"])
    for key in besides:
        _CHANGES[key](req, work, instance, changes[key])
    if "name" in changes:
        instance.assign({"name": changes["name"]})
        instance.save(work.session)
    return Reply()


def _configure(req: ApiRequest, work: Work, instance: Instance, wanted: str | None) -> None:
    if wanted is None:
        configurations.detach(work, instance)
    else:
        configurations.attach(req, work, instance, wanted)


def _refuse_detaching(_req: ApiRequest, _work: Work, instance: Instance, _wanted: str | None) -> None:
    raise exception.BadRequest(f"Instance {instance.id} is not a replica.")


def _refuse_upgrade(_req: ApiRequest, _work: Work, _instance: Instance, _wanted: str) -> None:
    raise exception.NotSupported("This service cannot do that: 'datastore_version' needs the capability 'upgrade'.")


#: What may stand beside the name in a change.
_CHANGES: Mapping[str, Callable[[ApiRequest, Work, Instance, Any], None]] = {
    "access": access.change,
    "configuration": _configure,
    "datastore_version": _refuse_upgrade,
    "replica_of": _refuse_detaching,
    "slave_of": _refuse_detaching,
}


@transactions.transactional
def delete(req: ApiRequest, work: Work) -> Reply:
    """Accept the deletion of an instance, whatever is in progress on it; repeating it changes nothing."""
    interrupting.delete(work, work.instance(req.path["instance_id"]))
    return Reply()
