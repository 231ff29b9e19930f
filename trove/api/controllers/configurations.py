# SPDX-License-Identifier: Apache-2.0
"""Configuration groups: list, show, create, change, delete; their instances and their history."""

from collections.abc import Mapping
from typing import Any

from trove.api import paging, transactions
from trove.api.request import ApiRequest, Reply
from trove.api.requests import configurations as requested
from trove.api.requests import plugins
from trove.api.views import configurations as view
from trove.common import exception
from trove.datastores import spi
from trove.domain.notifications import Event
from trove.objects import catalog, configuration, errors
from trove.objects.configuration import Configuration
from trove.objects.scope import Scope
from trove.operations import configurations, notifications
from trove.operations.work import Work


def index(req: ApiRequest) -> Reply:
    """List the project's groups; an administrator's list has those of all projects."""
    page = paging.Page.of(req, "configurations_page_size")
    with req.services.db.reader() as session:
        rows = configuration.list_rows(session, req.scope, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("configurations", rows, lambda row: row.id)
    return Reply({"configurations": [view.summary(req, row) for row in kept], **links})


def show(req: ApiRequest) -> Reply:
    """Show one group with its values."""
    with req.services.db.reader() as session:
        row = configuration.get_row(session, req.scope, req.path["configuration_id"])
    return Reply({"configuration": view.detail(req, row)})


def instances(req: ApiRequest) -> Reply:
    """List the instances that have a group."""
    page = paging.Page.of(req, "configurations_page_size")
    with req.services.db.reader() as session:
        group = Configuration.get(session, req.scope, req.path["configuration_id"])
        rows = configuration.list_instances(session, group.id, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("instances", rows, lambda row: row[0])
    return Reply({"instances": [{"id": instance_id, "name": name} for instance_id, name in kept], **links})


def history(req: ApiRequest) -> Reply:
    """List what the values of a group were, the present ones first.

    :raises BadRequest: for a marker that is no revision.
    """
    page = paging.Page.of(req, "configurations_page_size")
    if page.marker is not None and not (page.marker.isascii() and page.marker.isdigit() and len(page.marker) < 10):
        raise exception.BadRequest("The marker must be the number of a revision.")
    before = None if page.marker is None else int(page.marker)
    with req.services.db.reader() as session:
        group = Configuration.get(session, req.scope, req.path["configuration_id"])
        rows = configuration.list_history(session, group.id, limit=page.limit + 1, before=before)
    kept, links = page.cut("history", rows, lambda row: str(row.revision))
    return Reply({"history": [view.revision(row) for row in kept], **links})


@transactions.transactional
def create(req: ApiRequest, work: Work) -> Reply:
    """Make a group for one datastore version: an active one, or one that the project still has instances of.

    :raises VersionInactive: for any other.
    """
    body = req.body["configuration"]
    datastore = body.get("datastore", {})
    version = catalog.resolve_version(
        work.session,
        datastore.get("type"),
        datastore.get("version"),
        datastore.get("version_number"),
        req.services.conf.default_datastore,
        allow_inactive=True,
    )
    if not version.active and not version.count_instances(work.session, req.project_id):
        raise errors.VersionInactive(version.datastore_name, version.name)
    plugin = plugins.find(req, version.manager)
    plugins.require(plugin, spi.Capability.CONFIGURATION)
    version.hold(work.session)
    group = Configuration(
        project_id=req.project_id,
        name=body["name"],
        description=body.get("description"),
        datastore_version_id=version.id,
        values=requested.judge(req, work.session, version, body["values"]),
    )
    group.create(work.session, req.context.user_id)
    payload = {"name": group.name, "datastore": version.datastore_name, "datastore_version": version.name}
    notifications.complete(work, Event("configuration_create", payload), group.project_id, configuration_id=group.id)
    row = configuration.get_row(work.session, Scope.project(req.project_id), group.id)
    return Reply({"configuration": view.detail(req, row)})


@transactions.transactional
def update(req: ApiRequest, work: Work) -> Reply:
    """Replace name, description and values, as far as they are given."""
    body = req.body["configuration"]
    changes = {key: body[key] for key in ("name", "description") if key in body}
    group = _locked(req, work)
    if "values" in body:
        changes["values"] = _judged(req, work, group, body["values"], {})
    _change(req, work, group, changes)
    payload = {"configuration_id": group.id, "name": group.name, "description": group.description}
    notifications.complete(work, Event("configuration_update", payload), group.project_id)
    return Reply()


@transactions.transactional
def edit(req: ApiRequest, work: Work) -> Reply:
    """Set some values and keep the others; show the group as it is then."""
    group = _locked(req, work)
    values = _judged(req, work, group, req.body["configuration"]["values"], group.values)
    _change(req, work, group, {"values": values})
    notifications.complete(work, Event("configuration_edit", {"configuration_id": group.id}), group.project_id)
    row = configuration.get_row(work.session, Scope.ALL, group.id)
    return Reply({"configuration": view.detail(req, row)})


@transactions.transactional
def delete(req: ApiRequest, work: Work) -> Reply:
    """Delete a group that no instance has."""
    group = _locked(req, work)
    group.delete(work.session)
    notifications.complete(work, Event("configuration_delete", {"configuration_id": group.id}), group.project_id)
    return Reply()


def _locked(req: ApiRequest, work: Work) -> Configuration:
    return Configuration.get(work.session, req.scope, req.path["configuration_id"], for_update=True)


def _judged(
    req: ApiRequest, work: Work, group: Configuration, values: Mapping[str, Any], onto: Mapping[str, Any]
) -> dict[str, Any]:
    version = catalog.DatastoreVersion.get(work.session, group.datastore_version_id)
    return requested.judge(req, work.session, version, values, onto=onto)


def _change(req: ApiRequest, work: Work, group: Configuration, changes: dict[str, Any]) -> None:
    if group.change(work.session, changes, req.context.user_id):
        configurations.push(work, group)
