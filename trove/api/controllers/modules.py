# SPDX-License-Identifier: Apache-2.0
"""Modules: list, show, make, change, delete; the instances that have one, and applying it to them again."""

from collections.abc import Mapping
from typing import Any

from trove.api import paging, transactions
from trove.api.request import ApiRequest, Reply
from trove.api.requests import modules as requested
from trove.api.views import instances as instances_view
from trove.api.views import modules as view
from trove.common import exception
from trove.domain import operations
from trove.objects import catalog, instance_listing, instance_module, module
from trove.objects.module import Module
from trove.objects.scope import Scope
from trove.operations import modules, submitting
from trove.operations.work import Work
from trove.wire import command


class ModuleInUse(exception.Forbidden):
    """403, as existing clients expect."""

    symbol = "module.in_use"

    def __init__(self, module_id: str) -> None:
        super().__init__(
            f"Module {module_id} is applied to instances and was not made for live updates; remove it from them first."
        )


def index(req: ApiRequest) -> Reply:
    """List the modules that the caller may see: for administrators, those of all projects."""
    wanted = req.query.get("datastore")
    for_all = wanted is not None and wanted.lower() == view.ALL
    with req.services.db.reader() as session:
        datastore_id = None
        if wanted and not for_all:
            datastore_id = catalog.Datastore.get_by_name_or_id(session, wanted).id
        rows = module.list_rows(session, req.scope, datastore_id=datastore_id, for_all=for_all)
    return Reply({"modules": [view.summary(row) for row in rows]})


def show(req: ApiRequest) -> Reply:
    """Show one module, without its contents."""
    with req.services.db.reader() as session:
        row = module.get_row(session, req.scope, req.path["module_id"])
    return Reply({"module": view.detail(row)})


@transactions.transactional
def create(req: ApiRequest, work: Work) -> Reply:
    """Make a module."""
    body = req.body["module"]
    kind = requested.module_type(req, body["module_type"])
    columns = requested.options(req, body, None)
    text = requested.contents(kind, body["contents"])
    made = Module(
        name=body["name"],
        type=kind,
        description=body.get("description"),
        **columns,
        **requested.datastore(work.session, body, None),
    )
    made.create(work.session, text)
    return Reply({"module": view.changed(module.get_row(work.session, Scope.ALL, made.id))})


@transactions.transactional
def update(req: ApiRequest, work: Work) -> Reply:
    """Change what is given of a module. Instances that have it keep its contents until it is applied again."""
    body = req.body["module"]
    found = _changeable(req, work)
    changes = {key: body[key] for key in ("name", "description") if key in body}
    changes |= requested.options(req, body, found)
    changes |= requested.datastore(work.session, body, found)
    text = requested.contents(found.type, body["contents"]) if "contents" in body else None
    found.change(work.session, changes, text)
    return Reply({"module": view.changed(module.get_row(work.session, Scope.ALL, found.id))})


@transactions.transactional
def delete(req: ApiRequest, work: Work) -> Reply:
    """Delete a module, and have it removed from the instances that have it."""
    found = _changeable(req, work)
    had_it = instance_module.clear_module(work.session, found.id)
    modules.withdraw(work, command.RemoveModule(id=found.id, type=found.type), had_it)
    found.delete(work.session)
    return Reply()


def instances(req: ApiRequest) -> Reply:
    """List the instances that have a module, or how many of them have which of its contents."""
    page = paging.Page.of(req, "modules_page_size")
    with req.services.db.reader() as session:
        row = module.get_row(session, req.scope, req.path["module_id"])
        if req.query.get("count_only"):
            used = instance_module.usage(session, req.scope, row.id)
            return Reply({"instances": [view.usage(row, item) for item in used]})
        rows = instance_listing.list_with_module(session, req.scope, row.id, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("instances", rows, lambda item: item.id)
    return Reply({"instances": [instances_view.summary(req, item) for item in kept], **links})


@transactions.transactional
def reapply(req: ApiRequest, work: Work) -> Reply:
    """Apply a module again to the caller's instances that have it, some at a time; an administrator does so to those
    of all projects."""
    body: Mapping[str, Any] = req.body["reapply"]
    found = Module.get(work.session, req.scope, req.path["module_id"])
    most = req.services.conf.module_reapply_max_batch_size
    least = req.services.conf.module_reapply_min_batch_delay
    md5 = body.get("md5")
    inputs = {
        "module_id": found.id,
        "project_id": req.scope.project_id,
        "until": work.now().isoformat(),
        "md5": md5.lower() if md5 else None,
        "force": bool(body.get("force")),
        "batch_size": min(body.get("batch_size") or most, most),
        "batch_delay": max(body.get("batch_delay") or least, least),
    }
    resource = submitting.Resource("module", found.id, req.project_id)
    submitting.submit_for(work, operations.MODULE_REAPPLY, resource, inputs)
    return Reply()


def _changeable(req: ApiRequest, work: Work) -> Module:
    """Return the module of the path, locked.

    :raises ModuleNotFound: when the caller sees no such module.
    :raises ModuleAdminOnly: when it is not the caller's to change.
    :raises ModuleInUse: when instances have it that must not be surprised.
    """
    found = Module.get(work.session, req.scope, req.path["module_id"], for_update=True)
    if not req.context.is_admin and (found.is_admin or found.project_id is None):
        raise requested.ModuleAdminOnly(f"Module {found.id} is an administrator's; only administrators change it.")
    if not found.live_update and instance_module.count(work.session, found.id):
        raise ModuleInUse(found.id)
    return found
