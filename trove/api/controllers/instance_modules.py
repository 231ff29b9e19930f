# SPDX-License-Identifier: Apache-2.0
"""The modules of an instance: list, apply, remove.

A list shows what the guest said last, whatever the query asks for: a read never calls a guest. A change waits for the
guest a few seconds, because existing clients read the outcome from the answer; what takes longer is ``PENDING``.
"""

from trove.api import transactions, waiting
from trove.api.request import ApiRequest, Reply
from trove.api.requests import data
from trove.api.requests import modules as requested
from trove.api.views import modules as view
from trove.common import exception
from trove.objects import instance_listing, instance_module
from trove.objects.module import Module
from trove.operations import modules
from trove.operations.work import Work
from trove.wire import command
from trove.workflow.listing import Operation
from trove.workflow.model import State


class ModuleNotApplied(exception.NotFound):
    symbol = "module.not_applied"

    def __init__(self, instance_id: str, module_id: str) -> None:
        super().__init__(f"Instance {instance_id} does not have module {module_id}.")


class ModuleFailed(exception.UnprocessableEntity):
    symbol = "module.failed"
    default = "The module could not be removed; check the instance and try again."


def index(req: ApiRequest) -> Reply:
    """List the modules of an instance that the caller may see, in the order in which they are applied.

    Contents are shown on request, to administrators and to the project that the module belongs to; they are empty for
    others, and while the instance has other contents than the module.
    """
    with_contents = req.query.get("include_contents", False)
    with req.services.db.reader() as session:
        instance = instance_listing.get_row(session, req.scope, req.path["instance_id"])
        rows = instance_module.list_rows(session, req.scope, instance.id)
        known = {item.id: item for item in instance_module.list_modules(session, instance.id)} if with_contents else {}
    shown = []
    for row in rows:
        text = None
        if with_contents:
            readable = req.context.is_admin or row.project_id == req.project_id
            found = known.get(row.id)
            text = found.text if readable and found is not None and found.md5 == row.md5 else ""
        shown.append(view.applied(row, text))
    return Reply({"modules": shown})


def apply(req: ApiRequest) -> Reply:
    """Apply modules and show what became of them."""

    def accept(work: Work) -> tuple[str, str, list[str]]:
        row = instance_listing.get_row(work.session, req.scope, req.path["instance_id"])
        data.require_usable(req, row)
        target = requested.Target(row.project_id, row.datastore_id, row.datastore_version_id)
        wanted = requested.find(work.session, req.scope, req.body["modules"], target)
        requested.check_room(wanted, instance_module.list_modules(work.session, row.id))
        instance = work.instance(row.id)
        return instance.id, modules.apply(work, instance, wanted), [item.id for item in wanted]

    with waiting.place(req) as place:
        instance_id, operation_id, module_ids = transactions.perform(req, accept)

        def reply(_: Operation | None) -> Reply:
            with req.services.db.reader() as session:
                rows = instance_module.list_rows(session, req.scope, instance_id)
            return Reply({"modules": [view.applied(row) for row in rows if row.id in module_ids]})

        return place.reply_when_ended(operation_id, reply)


def remove(req: ApiRequest) -> Reply:
    """Remove a module."""

    def accept(work: Work) -> str:
        row = instance_listing.get_row(work.session, req.scope, req.path["instance_id"])
        found = Module.get(work.session, req.scope, req.path["module_id"])
        if not instance_module.exists(work.session, row.id, found.id):
            raise ModuleNotApplied(row.id, found.id)
        data.require_usable(req, row)
        return modules.remove(work, work.instance(row.id), command.RemoveModule(id=found.id, type=found.type))

    with waiting.place(req) as place:
        operation_id = transactions.perform(req, accept)

        def reply(ended: Operation | None) -> Reply:
            if ended is not None and ended.state != State.SUCCEEDED:
                raise ModuleFailed(ended.error_message)
            return Reply()

        return place.reply_when_ended(operation_id, reply)
