# SPDX-License-Identifier: Apache-2.0
"""Which databases a user may use."""

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


class UnknownDatabases(exception.BadRequest):
    """The request grants access to databases that do not exist."""

    symbol = "database.unknown"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The instance has no such databases: {', '.join(map(ascii, names))}; create them first.")


def index(req: ApiRequest) -> Reply:
    """List the databases a user may use."""
    with req.services.db.reader() as session:
        # A user of an engine that grants nothing may use no databases.
        if (known := data.listable(req, session, Capability.USERS)) is None:
            raise errors.UserNotFound(req.path["user_name"], "%")
        row, engine = known
        found = data.find_user(session, engine, row.id, req.path["user_name"])
    return Reply({"databases": view.access(found)})


@data_answer.at_once
def update(req: ApiRequest, work: Work) -> Began:
    """Accept access to further databases; an empty list is accepted and changes nothing."""
    names = list(dict.fromkeys(item["name"] for item in req.body["databases"]))
    instance, engine = data.changeable(req, work, Capability.ACCESS)
    found = data.expect_user(work.session, engine, instance.id, req.path["user_name"])
    unknown = sorted(set(names) - inventory.expected(work.session, instance.id, databases=names).databases)
    if unknown:
        raise UnknownDatabases(unknown)
    if not names:
        return Began(instance.id)
    change = command.GrantAccess(user=command.UserKey(name=found.name, host=found.host), databases=names)
    return Began(instance.id, [submitting.edit(work, operations.USER_GRANT, instance, change)])


@data_answer.when_done
def delete(req: ApiRequest, work: Work) -> Began:
    """Accept the end of access to one database."""
    name = req.path["database_name"]
    instance, engine = data.changeable(req, work, Capability.ACCESS)
    found = data.expect_user(work.session, engine, instance.id, req.path["user_name"])
    if name not in found.databases:
        raise errors.DatabaseNotFound(name)
    change = command.RevokeAccess(user=command.UserKey(name=found.name, host=found.host), database=name)
    return Began(instance.id, [submitting.edit(work, operations.USER_REVOKE, instance, change)])
