# SPDX-License-Identifier: Apache-2.0
"""What will be inside a database when everything that was accepted for it has been carried out.

What a guest reported last, changed by each command that has not ended, in the order of acceptance. Requests are judged
by that, so a client may use what it has just been promised. A command that fails later ends, and its effect is expected
no more. Applying a command that the report has in it already changes nothing, because a guest reports what is there
before it says that a command has ended.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Name and host.
UserKey = tuple[str, str]
#: Name of a command and its arguments as they travel to the guest.
Change = tuple[str, Mapping[str, Any]]


@dataclass
class Inventory:
    """Databases, and users with the databases that they may use."""

    databases: set[str] = field(default_factory=set)
    users: dict[UserKey, list[str]] = field(default_factory=dict)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take the effects of commands into account; those that change nothing of this are ignored."""
        for name, arguments in changes:
            effect = _EFFECTS.get(name)
            if effect is not None:
                effect(self, arguments)


def users_named(changes: Iterable[Change]) -> set[str]:
    """Return the names of users whose present state the effects of ``changes`` depend on."""
    return {arguments["user"]["name"] for _, arguments in changes if "user" in arguments}


def _key(user: Mapping[str, Any]) -> UserKey:
    return user["name"], user.get("host") or "%"


def _create_databases(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    inventory.databases |= {item["name"] for item in arguments.get("databases", ())}


def _drop_database(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    gone = arguments.get("database")
    inventory.databases -= {gone}
    for key, granted in inventory.users.items():
        inventory.users[key] = [name for name in granted if name != gone]


def _create_users(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    for item in arguments.get("users", ()):
        _grant_to(inventory, _key(item), item.get("databases", ()), create=True)


def _alter_user(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    if "user" not in arguments:
        return
    old = _key(arguments["user"])
    granted = inventory.users.pop(old, None)
    if granted is not None:
        inventory.users[arguments.get("new_name") or old[0], arguments.get("new_host") or old[1]] = granted


def _drop_user(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    if "user" in arguments:
        inventory.users.pop(_key(arguments["user"]), None)


def _grant(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    if "user" in arguments:
        _grant_to(inventory, _key(arguments["user"]), arguments.get("databases", ()), create=False)


def _revoke(inventory: Inventory, arguments: Mapping[str, Any]) -> None:
    if "user" in arguments:
        key = _key(arguments["user"])
        granted = inventory.users.get(key)
        if granted is not None:
            inventory.users[key] = [name for name in granted if name != arguments.get("database")]


def _grant_to(inventory: Inventory, key: UserKey, databases: Iterable[str], *, create: bool) -> None:
    granted = inventory.users.get(key, [] if create else None)
    if granted is not None:
        inventory.users[key] = [*granted, *(name for name in databases if name not in granted)]


_EFFECTS: Mapping[str, Callable[[Inventory, Mapping[str, Any]], None]] = {
    "create_databases": _create_databases,
    "drop_database": _drop_database,
    "create_users": _create_users,
    "alter_user": _alter_user,
    "drop_user": _drop_user,
    "grant_access": _grant,
    "revoke_access": _revoke,
}
