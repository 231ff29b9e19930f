# SPDX-License-Identifier: Apache-2.0
"""Databases inside an instance.

Reads come from the inventory that the guest reports. Changes are commands to the guest, judged by what is expected:
what was accepted counts, though a list does not show it before it is there.
"""

from trove.api import paging
from trove.api.controllers import data_answer
from trove.api.controllers.data_answer import Began
from trove.api.request import ApiRequest, Reply
from trove.api.requests import data
from trove.api.views import data as view
from trove.common import exception
from trove.datastores.spi import Capability
from trove.domain import operations
from trove.objects import errors, inventory
from trove.operations import submitting
from trove.operations.work import Work
from trove.wire import command


class DatabaseExists(exception.BadRequest):
    symbol = "database.exists"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The instance has these databases already: {', '.join(map(ascii, names))}.")


def index(req: ApiRequest) -> Reply:
    """List databases, by name."""
    page = paging.Page.of(req, "databases_page_size")
    with req.services.db.reader() as session:
        if (known := data.listable(req, session, Capability.DATABASES)) is None:
            return Reply({"databases": []})
        row, _ = known
        found = inventory.list_databases(session, row.id, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("databases", found, lambda item: item.name)
    return Reply({"databases": [view.database(req, item) for item in kept], **links})


def show(req: ApiRequest) -> Reply:
    """Show one database."""
    with req.services.db.reader() as session:
        row, _ = data.readable(req, session, Capability.DATABASES)
        found = inventory.get_database(session, row.id, req.path["database_name"])
    return Reply({"database": view.database(req, found)})


@data_answer.at_once
def create(req: ApiRequest, work: Work) -> Began:
    """Accept new databases; an empty list is accepted and changes nothing."""
    wanted = req.body["databases"] if "databases" in req.body else [req.body["database"]]
    instance, engine = data.changeable(req, work, Capability.DATABASES)
    if not wanted:
        return Began(instance.id)
    data.refuse(engine.validate_databases(wanted))
    names = [item["name"] for item in wanted]
    known = inventory.expected(work.session, instance.id, databases=names).databases & set(names)
    if known:
        raise DatabaseExists(sorted(known))
    specs = [
        command.DatabaseSpec(name=item["name"], character_set=item.get("character_set"), collate=item.get("collate"))
        for item in wanted
    ]
    change = command.CreateDatabases(databases=specs)
    return Began(instance.id, [submitting.edit(work, operations.DATABASE_CREATE, instance, change)])


@data_answer.at_once
def delete(req: ApiRequest, work: Work) -> Began:
    """Accept the removal of a database."""
    name = req.path["database_name"]
    instance, engine = data.changeable(req, work, Capability.DATABASES)
    data.refuse(engine.validate_databases([{"name": name}]))
    if name not in inventory.expected(work.session, instance.id, databases=[name]).databases:
        raise errors.DatabaseNotFound(name)
    change = command.DropDatabase(database=name)
    return Began(instance.id, [submitting.edit(work, operations.DATABASE_DELETE, instance, change)])
