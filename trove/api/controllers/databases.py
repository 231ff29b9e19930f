# SPDX-License-Identifier: Apache-2.0
"""Databases inside an instance. Reads come from the inventory that the guest reports; changes are commands to the
guest."""

from trove.api import lifecycle, paging
from trove.api.controllers import data_request
from trove.api.request import ApiRequest, Reply
from trove.api.views import data as view
from trove.common import exception
from trove.datastores.spi import Capability
from trove.domain import operations
from trove.objects import inventory
from trove.wire import command


class DatabaseExists(exception.BadRequest):
    symbol = "database.exists"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The instance has these databases already: {', '.join(map(ascii, names))}.")


def index(req: ApiRequest) -> Reply:
    """List databases, by name."""
    page = paging.Page.of(req, "databases_page_size")
    with req.services.db.reader() as session:
        if (known := data_request.listable(req, session, Capability.DATABASES)) is None:
            return Reply({"databases": []})
        row, _ = known
        found = inventory.list_databases(session, row.id, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("databases", found, lambda item: item.name)
    return Reply({"databases": [view.database(req, item) for item in kept], **links})


def show(req: ApiRequest) -> Reply:
    """Show one database."""
    with req.services.db.reader() as session:
        row, _ = data_request.readable(req, session, Capability.DATABASES)
        found = inventory.get_database(session, row.id, req.path["database_name"])
    return Reply({"database": view.database(req, found)})


@lifecycle.transactional
def create(req: ApiRequest, work: lifecycle.Work) -> Reply:
    """Accept new databases; an empty list is accepted and changes nothing."""
    wanted = req.body["databases"] if "databases" in req.body else [req.body["database"]]
    instance, engine = data_request.changeable(req, work, Capability.DATABASES)
    if not wanted:
        return Reply()
    data_request.refuse(engine.validate_databases(wanted))
    names = [item["name"] for item in wanted]
    known = inventory.known_databases(work.session, instance.id, names)
    if known:
        raise DatabaseExists(sorted(known))
    specs = [
        command.DatabaseSpec(name=item["name"], character_set=item.get("character_set"), collate=item.get("collate"))
        for item in wanted
    ]
    work.edit(operations.DATABASE_CREATE, instance, command.CreateDatabases(databases=specs))
    return Reply()


@lifecycle.transactional
def delete(req: ApiRequest, work: lifecycle.Work) -> Reply:
    """Accept the removal of a database."""
    name = req.path["database_name"]
    instance, engine = data_request.changeable(req, work, Capability.DATABASES)
    data_request.refuse(engine.validate_databases([{"name": name}]))
    found = inventory.get_database(work.session, instance.id, name)
    work.edit(operations.DATABASE_DELETE, instance, command.DropDatabase(database=found.name))
    return Reply()
