# SPDX-License-Identifier: Apache-2.0
"""The kinds of long work, as the API submits them and the taskmanager implements them.

The table is shared data, so that an API process can submit a workflow without loading the code that runs it. A
changed flow gets a higher version here and keeps its old one registered until none is in flight.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from trove.domain import notifications, quota


@dataclass(frozen=True)
class Kind:
    """One kind of workflow.

    :ivar name: public name, shown as the operation's ``kind``.
    :ivar version: version that new requests are submitted with.
    :ivar timeout: seconds until it counts as failed.
    :ivar exclusive: whether it claims its resource, so that only one such workflow is active at a time.
    :ivar supersedes: whether it removes whatever one that ended badly has left, so that nobody need repair that first.
    :ivar inputs: names and JSON types of what it is told, for example ``{"host": "string|null", "was?": "string"}``; a
        question mark says that it may be absent. ``None``: whatever it is given, see :func:`check_inputs`.
    """

    name: str
    version: int
    timeout: float
    exclusive: bool
    supersedes: bool = False
    inputs: Mapping[str, str] | None = field(default=None, compare=False)


#: What the workflow that ends hands on to the one that waits behind it.
_HANDED_ON = {"was?": "string", "restart_required?": "boolean"}
_CHANGE = {"old": "object", "new": "object"}
_COMMAND = {"command_id": "string"}
_LOG = {
    "log": "string",
    "enabled": "boolean|null",
    "discard": "boolean",
    "publish": "boolean",
    "manager": "string",
    "ticket_id?": "string|null",
}
#: Of a request to attach or detach: the group and revision that a failure puts back.
_CONFIGURE = {
    **_HANDED_ON,
    "configuration_id?": "string|null",
    "previous?": "string|null",
    "previous_revision?": "integer|null",
}
_REAPPLY = {
    "module_id": "string",
    "project_id": "string|null",
    "until": "string",
    "md5": "string|null",
    "force": "boolean",
    "batch_size": "integer",
    "batch_delay": "number",
}

INSTANCE_CREATE = Kind(
    "instance.create",
    1,
    1800,
    True,
    inputs={"databases?": "array", "users_secret?": "string|null", "nic?": "object|null"},
)
INSTANCE_DELETE = Kind("instance.delete", 1, 7200, True, supersedes=True, inputs={})
INSTANCE_RESTART = Kind("instance.restart", 1, 7200, True, inputs={})
INSTANCE_REBOOT = Kind("instance.reboot", 1, 7200, True, inputs={"agent_silent?": "boolean"})
INSTANCE_MIGRATE = Kind("instance.migrate", 1, 7200, True, inputs={**_HANDED_ON, "host": "string|null"})
INSTANCE_UPDATE_ACCESS = Kind("instance.update_access", 1, 600, True, inputs={**_CHANGE, **_HANDED_ON})
INSTANCE_RESIZE_FLAVOR = Kind("instance.resize_flavor", 1, 7200, True, inputs={**_CHANGE, **_HANDED_ON})
INSTANCE_RESIZE_VOLUME = Kind(
    "instance.resize_volume", 1, 7200, True, inputs={**_HANDED_ON, "size_gib": "integer", "old_size_gib": "integer"}
)
#: Fit the engine to the values of its configuration group. It may have to wait for another one that is under way.
INSTANCE_CONFIGURE = Kind("instance.configure", 1, 7200, True, inputs=_CONFIGURE)

#: Have the instances of a configuration group take its values over, some at a time.
CONFIGURATION_PUSH = Kind(
    "configuration.push", 1, 3600, False, inputs={"after": "string", "revision": "integer"}
)

#: Seconds until a change inside a database counts as failed whatever its guest says. What counts before is the deadline
#: of its command, from when the guest can begin: many may be before it.
_INSIDE = 7 * 86400.0

#: Changes inside a running database: one guest command each, in the order of acceptance.
DATABASE_CREATE = Kind("database.create", 1, _INSIDE, False, inputs=_COMMAND)
DATABASE_DELETE = Kind("database.delete", 1, _INSIDE, False, inputs=_COMMAND)
USER_CREATE = Kind("user.create", 1, _INSIDE, False, inputs=_COMMAND)
USER_UPDATE = Kind("user.update", 1, _INSIDE, False, inputs=_COMMAND)
USER_DELETE = Kind("user.delete", 1, _INSIDE, False, inputs=_COMMAND)
USER_GRANT = Kind("user.grant", 1, _INSIDE, False, inputs=_COMMAND)
USER_REVOKE = Kind("user.revoke", 1, _INSIDE, False, inputs=_COMMAND)
ROOT_ENABLE = Kind("root.enable", 1, _INSIDE, False, inputs={**_COMMAND, "user_id?": "string|null"})
ROOT_DISABLE = Kind("root.disable", 1, _INSIDE, False, inputs={**_COMMAND, "user_id?": "string|null"})
DATASTORE_STOP = Kind("datastore.stop", 1, _INSIDE, False, inputs=_COMMAND)

#: Switch a log of an instance, or remove what was published of it; publish what is pending of it.
LOG_CHANGE = Kind("log.change", 1, 600, False, inputs=_LOG)
LOG_PUBLISH = Kind("log.publish", 1, 600, False, inputs=_LOG)

#: Apply modules to an instance, remove one; apply one again to the instances that have it, or remove one that was
#: deleted from those that had it, some at a time.
MODULE_APPLY = Kind("module.apply", 1, _INSIDE, False, inputs={**_COMMAND, "modules": "array"})
MODULE_REMOVE = Kind("module.remove", 1, _INSIDE, False, inputs={**_COMMAND, "modules": "array"})
MODULE_REAPPLY = Kind("module.reapply", 1, 86400, False, inputs=_REAPPLY)
MODULE_WITHDRAW = Kind(
    "module.withdraw", 1, 3600, False, inputs={"module_id": "string", "type": "string", "instances": "array"}
)

KINDS = {
    kind.name: kind
    for kind in (
        INSTANCE_CREATE,
        INSTANCE_DELETE,
        INSTANCE_RESTART,
        INSTANCE_REBOOT,
        INSTANCE_MIGRATE,
        INSTANCE_UPDATE_ACCESS,
        INSTANCE_RESIZE_FLAVOR,
        INSTANCE_RESIZE_VOLUME,
        INSTANCE_CONFIGURE,
        CONFIGURATION_PUSH,
        DATABASE_CREATE,
        DATABASE_DELETE,
        USER_CREATE,
        USER_UPDATE,
        USER_DELETE,
        USER_GRANT,
        USER_REVOKE,
        ROOT_ENABLE,
        ROOT_DISABLE,
        DATASTORE_STOP,
        LOG_CHANGE,
        LOG_PUBLISH,
        MODULE_APPLY,
        MODULE_REMOVE,
        MODULE_REAPPLY,
        MODULE_WITHDRAW,
    )
}

_OTHERS = ("configuration.", "log.", "module.")
#: Kinds that change the inside of a database by one guest command.
EDITS = tuple(kind for kind in KINDS.values() if not kind.exclusive and not kind.name.startswith(_OTHERS))

#: Exclusive kinds during which an instance reads UPDATING, which existing clients are told is ACTIVE. What they ask for
#: next waits behind it, instead of being refused for what they cannot see.
UNSEEN = frozenset({INSTANCE_CONFIGURE.name, INSTANCE_UPDATE_ACCESS.name, INSTANCE_MIGRATE.name})

#: Symbol and message of the fault of an instance whose engine nobody has made run with its group's present values.
CONFIGURATION_UNKNOWN = (
    "configuration.unknown",
    "The change of the configuration was given up, so the database may run with other values; change a value of the "
    "configuration group, or detach and attach it, to apply them again.",
)

_GUEST_COMMANDS = {
    INSTANCE_RESTART.name: ("restart",),
    INSTANCE_REBOOT.name: ("stop", "start"),
    INSTANCE_MIGRATE.name: ("stop", "start"),
    INSTANCE_RESIZE_FLAVOR.name: ("reconfigure",),
    INSTANCE_RESIZE_VOLUME.name: ("grow_volume",),
    LOG_PUBLISH.name: ("publish_log",),
}

#: Signal that a guest has enrolled or come back; sent to the workflow that claims the instance.
GUEST_READY = "guest-ready"


#: Inputs of every kind: the events that its end is told as.
_COMMON = {f"{notifications.INPUT}?": "array"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict, Mapping),
    "array": (list, tuple),
    "null": (NoneType,),
}


def check_inputs(kind: Kind, inputs: Mapping[str, Any], *, whole: bool = True) -> None:
    """Check that ``inputs`` are what ``kind`` says it is told.

    :param whole: whether they are all; otherwise none is missed.
    :raises ValueError: with everything that is wrong; it is a mistake of the caller's code, not of a user.
    """
    if kind.inputs is None:
        return
    stated = {**_COMMON, **kind.inputs}
    types = {name.removesuffix("?"): words for name, words in stated.items()}
    wrong = [f"{name} is not one of its inputs" for name in sorted(set(inputs) - set(types))]
    if whole:
        wrong += [f"{name} is missing" for name in stated if not name.endswith("?") and name not in inputs]
    wrong += [
        f"{name} is {type(value).__name__}, not {types[name]}"
        for name, value in inputs.items()
        if name in types and not _is(value, types[name])
    ]
    if wrong:
        raise ValueError(f"{kind.name}: {'; '.join(wrong)}")


def _is(value: Any, words: str) -> bool:
    # In Python a truth value is a number, in JSON it is not.
    names = [word for word in words.split("|") if not isinstance(value, bool) or word == "boolean"]
    return any(isinstance(value, _TYPES[name]) for name in names)


def instance_claim(instance_id: str) -> str:
    """Return the claim key of an instance."""
    return f"instance:{instance_id}"


def command_signal(command_id: str) -> str:
    """Return the name of the signal that carries the result of a guest command."""
    return f"command:{command_id}"


def guest_commands(kind: str, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the commands without which an operation of ``kind`` cannot be carried out. Those of
    :data:`EDITS` are known to who asks for them."""
    needed = _GUEST_COMMANDS.get(kind, ())
    if kind == INSTANCE_CONFIGURE.name and "configuration_id" in inputs:
        # Else it follows a change of the group, which is not refused because of one of its instances.
        needed = ("configure",)
    if kind in (LOG_CHANGE.name, LOG_PUBLISH.name) and inputs.get("enabled") is not None:
        needed = ("set_log", *needed)
    return needed


def quota_taken(kind: str, inputs: Mapping[str, Any]) -> dict[str, int]:
    """Return the quota that a request of ``kind`` took when it was accepted and that its failure gives back.

    A creation is not among them: its instance keeps what it took until it is deleted.
    """
    if kind == INSTANCE_RESIZE_FLAVOR.name:
        taken = {quota.RAM: int(inputs["new"]["ram_mib"]) - int(inputs["old"]["ram_mib"])}
    elif kind == INSTANCE_RESIZE_VOLUME.name:
        taken = {quota.VOLUMES: int(inputs["size_gib"]) - int(inputs["old_size_gib"])}
    else:
        taken = {}
    return {resource: amount for resource, amount in taken.items() if amount > 0}


def quota_freed(kind: str, inputs: Mapping[str, Any]) -> dict[str, int]:
    """Return the quota that the success of a request of ``kind`` gives back: what a smaller shape no longer needs."""
    if kind != INSTANCE_RESIZE_FLAVOR.name:
        return {}
    freed = int(inputs["old"]["ram_mib"]) - int(inputs["new"]["ram_mib"])
    return {quota.RAM: freed} if freed > 0 else {}
