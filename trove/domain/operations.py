# SPDX-License-Identifier: Apache-2.0
"""The kinds of long work, as the API submits them and the taskmanager implements them.

The table is shared data, so that an API process can submit a workflow without loading the code that runs it. A
changed flow gets a higher version here and keeps its old one registered until none is in flight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trove.domain import quota


@dataclass(frozen=True)
class Kind:
    """One kind of workflow.

    :ivar name: public name, shown as the operation's ``kind``.
    :ivar version: version that new requests are submitted with.
    :ivar timeout: seconds until it counts as failed.
    :ivar exclusive: whether it claims its resource, so that only one such workflow is active at a time.
    :ivar supersedes: whether it removes whatever one that ended badly has left, so that nobody need repair that first.
    """

    name: str
    version: int
    timeout: float
    exclusive: bool
    supersedes: bool = False


INSTANCE_CREATE = Kind("instance.create", 1, 1800, True)
INSTANCE_DELETE = Kind("instance.delete", 1, 7200, True, supersedes=True)
INSTANCE_RESTART = Kind("instance.restart", 1, 7200, True)
INSTANCE_REBOOT = Kind("instance.reboot", 1, 7200, True)
INSTANCE_MIGRATE = Kind("instance.migrate", 1, 7200, True)
INSTANCE_UPDATE_ACCESS = Kind("instance.update_access", 1, 600, True)
INSTANCE_RESIZE_FLAVOR = Kind("instance.resize_flavor", 1, 7200, True)
INSTANCE_RESIZE_VOLUME = Kind("instance.resize_volume", 1, 7200, True)
#: Fit the engine to the values of its configuration group. It may have to wait for another one that is under way.
INSTANCE_CONFIGURE = Kind("instance.configure", 1, 7200, True)

#: Seconds until a change inside a database counts as failed whatever its guest says. What counts before is the deadline
#: of its command, from when the guest can begin: many may be before it.
_INSIDE = 7 * 86400.0

#: Changes inside a running database: one guest command each, in the order of acceptance.
DATABASE_CREATE = Kind("database.create", 1, _INSIDE, False)
DATABASE_DELETE = Kind("database.delete", 1, _INSIDE, False)
USER_CREATE = Kind("user.create", 1, _INSIDE, False)
USER_UPDATE = Kind("user.update", 1, _INSIDE, False)
USER_DELETE = Kind("user.delete", 1, _INSIDE, False)
USER_GRANT = Kind("user.grant", 1, _INSIDE, False)
USER_REVOKE = Kind("user.revoke", 1, _INSIDE, False)
ROOT_ENABLE = Kind("root.enable", 1, _INSIDE, False)
ROOT_DISABLE = Kind("root.disable", 1, _INSIDE, False)
DATASTORE_STOP = Kind("datastore.stop", 1, _INSIDE, False)

#: Switch a log of an instance, or remove what was published of it; publish what is pending of it.
LOG_CHANGE = Kind("log.change", 1, 600, False)
LOG_PUBLISH = Kind("log.publish", 1, 600, False)

#: Apply modules to an instance, remove one; apply one again to the instances that have it, some at a time.
MODULE_APPLY = Kind("module.apply", 1, _INSIDE, False)
MODULE_REMOVE = Kind("module.remove", 1, _INSIDE, False)
MODULE_REAPPLY = Kind("module.reapply", 1, 86400, False)

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
    )
}

#: Kinds that change the inside of a database by one guest command.
EDITS = tuple(kind for kind in KINDS.values() if not kind.exclusive and not kind.name.startswith(("log.", "module.")))

#: Exclusive kinds during which an instance reads UPDATING, which existing clients are told is ACTIVE. What they ask for
#: next waits behind it, instead of being refused for what they cannot see.
UNSEEN = frozenset({INSTANCE_CONFIGURE.name, INSTANCE_UPDATE_ACCESS.name, INSTANCE_MIGRATE.name})

#: Symbol and message of the fault of an instance whose engine nobody has made run with its group's present values.
CONFIGURATION_UNKNOWN = (
    "configuration.unknown",
    "The change of the configuration was given up, so the database may run with other values; change a value of the "
    "configuration group, or detach and attach it, to apply them again.",
)

#: Signal that a guest has enrolled or come back; sent to the workflow that claims the instance.
GUEST_READY = "guest-ready"


def instance_claim(instance_id: str) -> str:
    """Return the claim key of an instance."""
    return f"instance:{instance_id}"


def command_signal(command_id: str) -> str:
    """Return the name of the signal that carries the result of a guest command."""
    return f"command:{command_id}"


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
