# SPDX-License-Identifier: Apache-2.0
"""Users inside an instance. Passwords go to the guest encrypted and are kept nowhere.

Changes are judged by what is expected: what was accepted counts. Those that shut somebody out are answered when they
are done.
"""

from collections.abc import Mapping
from typing import Any

from trove.api import paging
from trove.api.controllers import data_answer
from trove.api.controllers.data_answer import Began
from trove.api.request import ApiRequest, Reply
from trove.api.requests import data
from trove.api.requests.plugins import host_of, require_for_users
from trove.api.views import data as view
from trove.common import exception
from trove.datastores.spi import Capability, Plugin
from trove.domain import operations
from trove.objects import errors, inventory
from trove.operations import submitting
from trove.operations.work import Work
from trove.wire import command


class UserExists(exception.BadRequest):
    symbol = "user.exists"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The instance has these users already: {', '.join(map(ascii, names))}.")


def index(req: ApiRequest) -> Reply:
    """List users, by name and host."""
    page = paging.Page.of(req, "users_page_size")
    marker = None if page.marker is None else _marker(page.marker)
    with req.services.db.reader() as session:
        if (known := data.listable(req, session, Capability.USERS)) is None:
            return Reply({"users": []})
        row, _ = known
        found = inventory.list_users(session, row.id, limit=page.limit + 1, marker=marker)
    kept, links = page.cut("users", found, lambda item: f"{item.name}@{item.host}")
    return Reply({"users": [view.user(item) for item in kept], **links})


def _marker(text: str) -> tuple[str, str]:
    name, at, host = text.rpartition("@")
    return (name, host) if at else (host, "%")


def show(req: ApiRequest) -> Reply:
    """Show one user."""
    with req.services.db.reader() as session:
        row, engine = data.readable(req, session, Capability.USERS)
        found = data.find_user(session, engine, row.id, req.path["user_name"])
    return Reply({"user": view.user(found)})


@data_answer.at_once
def create(req: ApiRequest, work: Work) -> Began:
    """Accept new users; an empty list is accepted and changes nothing."""
    return _create(req, work, _sent(req))


@data_answer.at_once
def create_one(req: ApiRequest, work: Work) -> Began:
    """Accept the one new user that the path names, as openstacksdk sends it."""
    wanted = _sent(req)
    allowed = [{item["name"], f"{item['name']}@{item.get('host') or '%'}"} for item in wanted]
    if len(wanted) != 1 or req.path["user_name"] not in allowed[0]:
        raise exception.BadRequest("The body must have exactly the user that the path names.")
    return _create(req, work, wanted)


def _sent(req: ApiRequest) -> list[Mapping[str, Any]]:
    sent = req.body["users"]
    return [sent] if isinstance(sent, Mapping) else list(sent)


def _create(req: ApiRequest, work: Work, wanted: list[Mapping[str, Any]]) -> Began:
    instance, engine = data.changeable(req, work, Capability.USERS)
    if not wanted:
        return Began(instance.id)
    specs = [_spec(engine, item) for item in wanted]
    require_for_users(engine, [spec.databases for spec in specs])
    granted = sorted({name for spec in specs for name in spec.databases})
    names = [spec.name for spec in specs]
    expected = inventory.expected(work.session, instance.id, databases=granted, users=names)
    unknown = sorted(set(granted) - expected.databases)
    data.refuse(
        engine.validate_users(wanted) + [f"users refer to database {name!a}, which does not exist" for name in unknown]
    )
    present = [spec.name for spec in specs if (spec.name, spec.host) in expected.users]
    if present:
        raise UserExists(present)
    change = command.CreateUsers(users=specs)
    return Began(instance.id, [submitting.edit(work, operations.USER_CREATE, instance, change)])


def _spec(engine: Plugin, item: Mapping[str, Any]) -> command.UserSpec:
    return command.UserSpec(
        name=item["name"],
        password=item["password"],
        host=host_of(engine, item.get("host")),
        databases=[entry["name"] for entry in item.get("databases", [])],
    )


@data_answer.when_done
def update_all(req: ApiRequest, work: Work) -> Began:
    """Accept new passwords for several users; all must exist."""
    wanted = req.body["users"]
    instance, engine = data.changeable(req, work, Capability.USERS)
    data.refuse(engine.validate_users(wanted))
    keys = [command.UserKey(name=item["name"], host=host_of(engine, item.get("host"))) for item in wanted]
    known = inventory.expected(work.session, instance.id, users=[key.name for key in keys]).users
    missing = [key for key in keys if (key.name, key.host) not in known]
    if missing:
        raise errors.UserNotFound(missing[0].name, missing[0].host)
    changes = [
        command.AlterUser(user=key, new_password=item["password"]) for key, item in zip(keys, wanted, strict=True)
    ]
    return Began(instance.id, [submitting.edit(work, operations.USER_UPDATE, instance, change) for change in changes])


@data_answer.when_done
def update(req: ApiRequest, work: Work) -> Began:
    """Accept a new name, host or password of one user."""
    changes = {key: value for key, value in req.body["user"].items() if value is not None}
    if not changes.keys() & {"name", "host", "password"}:
        raise exception.ValidationFailed(["user must have at least one of name, host and password"])
    instance, engine = data.changeable(req, work, Capability.USERS)
    # Heat names the instance's own address where the host of a user belongs.
    own = [item["address"] for item in instance.addresses]
    found = data.expect_user(work.session, engine, instance.id, req.path["user_name"], any_host=own)
    name, host = changes.get("name", found.name), host_of(engine, changes.get("host", found.host))
    data.refuse(engine.validate_users([{**changes, "name": name, "host": host}]))
    moved = (name, host) != (found.name, found.host)
    if moved and (name, host) in inventory.expected(work.session, instance.id, users=[name]).users:
        raise UserExists([name])
    if not moved and "password" not in changes:
        return Began(instance.id)
    change = command.AlterUser(
        user=command.UserKey(name=found.name, host=found.host),
        new_name=name if name != found.name else None,
        new_host=host if host != found.host else None,
        new_password=changes.get("password"),
    )
    return Began(instance.id, [submitting.edit(work, operations.USER_UPDATE, instance, change)])


@data_answer.when_done
def delete(req: ApiRequest, work: Work) -> Began:
    """Accept the removal of a user."""
    instance, engine = data.changeable(req, work, Capability.USERS)
    found = data.expect_user(work.session, engine, instance.id, req.path["user_name"])
    key = command.UserKey(name=found.name, host=found.host)
    return Began(instance.id, [submitting.edit(work, operations.USER_DELETE, instance, command.DropUser(user=key))])
