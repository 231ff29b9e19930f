# SPDX-License-Identifier: Apache-2.0
"""What the control plane can ask of a guest: a fixed list. There is no "execute".

Each command travels in a :class:`CommandFrame` with an id that the guest journals: a repeated id is answered with the
recorded result. Handlers must be *safe to repeat*, because a guest may die between doing and journalling.
"""

from typing import Annotated, Any, Literal

import msgspec

from trove.wire import base


class DatabaseSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A database to create; absent options mean the engine's defaults."""

    name: base.ShortText
    character_set: base.ShortText | None = None
    collate: base.ShortText | None = None


class UserSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A user to create, with the databases it may use; ``host`` is ``%`` for engines without hosts."""

    name: base.ShortText
    password: base.Secret
    host: base.ShortText = "%"
    databases: list[base.ShortText] = msgspec.field(default_factory=list)


class UserKey(msgspec.Struct, frozen=True, kw_only=True):
    """Names one user."""

    name: base.ShortText
    host: base.ShortText = "%"


class ShapeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The resources the engine may use."""

    vcpus: Annotated[int, msgspec.Meta(ge=1)]
    ram_mib: Annotated[int, msgspec.Meta(ge=1)]
    volume_gib: Annotated[int, msgspec.Meta(ge=0)]


#: The value of an engine's parameter.
ConfigValue = bool | int | float | base.LongText


class Command(base.Message, frozen=True, kw_only=True):
    """Base of all commands."""


class Prepare(Command, frozen=True, kw_only=True):
    """Make an empty, running, authenticated engine."""

    name = "prepare"
    shape: ShapeSpec
    address: base.ShortText
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    #: Password of the control plane's own administrative account, made for this instance.
    admin_password: base.Secret
    #: The values of a configuration group, as in :class:`Configure`.
    configuration: dict[base.ShortText, ConfigValue] = msgspec.field(default_factory=dict)


class CreateDatabases(Command, frozen=True, kw_only=True):
    name = "create_databases"
    databases: Annotated[list[DatabaseSpec], msgspec.Meta(max_length=1000)]


class DropDatabase(Command, frozen=True, kw_only=True):
    name = "drop_database"
    database: base.ShortText


class CreateUsers(Command, frozen=True, kw_only=True):
    name = "create_users"
    users: Annotated[list[UserSpec], msgspec.Meta(max_length=1000)]


class AlterUser(Command, frozen=True, kw_only=True):
    """Change name, host or password of one user; absent means unchanged."""

    name = "alter_user"
    user: UserKey
    new_name: base.ShortText | None = None
    new_host: base.ShortText | None = None
    new_password: base.Secret | None = None


class DropUser(Command, frozen=True, kw_only=True):
    name = "drop_user"
    user: UserKey


class GrantAccess(Command, frozen=True, kw_only=True):
    name = "grant_access"
    user: UserKey
    databases: list[base.ShortText]


class RevokeAccess(Command, frozen=True, kw_only=True):
    name = "revoke_access"
    user: UserKey
    database: base.ShortText


class EnableRoot(Command, frozen=True, kw_only=True):
    name = "enable_root"
    password: base.Secret


class DisableRoot(Command, frozen=True, kw_only=True):
    name = "disable_root"


class Restart(Command, frozen=True, kw_only=True):
    name = "restart"


class StartEngine(Command, frozen=True, kw_only=True):
    name = "start"


class StopEngine(Command, frozen=True, kw_only=True):
    """Stop the engine gracefully and keep it stopped, also when the agent restarts."""

    name = "stop"


class Reconfigure(Command, frozen=True, kw_only=True):
    """Write the configuration for ``shape`` and restart the engine; the old one is put back when it does not start."""

    name = "reconfigure"
    shape: ShapeSpec


class Configure(Command, frozen=True, kw_only=True):
    """Run with these values instead of the defaults; they outlive restarts and :class:`Reconfigure`.

    The result is ``{"restart_required": [names]}``: what is written and counts from the next start on. When the engine
    refuses a value, everything is as before, and the command fails with ``configuration.refused``.
    """

    name = "configure"
    #: All values of the configuration group; what is not among them gets its default back.
    values: dict[base.ShortText, ConfigValue]
    #: Whether the running engine takes now what it can take without a restart.
    apply: bool = True


class GrowVolume(Command, frozen=True, kw_only=True):
    """The volume below the data has grown to ``volume_gib``; grow the file system and what depends on its size."""

    name = "grow_volume"
    volume_gib: Annotated[int, msgspec.Meta(ge=1)]


class SetLog(Command, frozen=True, kw_only=True):
    """Let the engine write one of its logs, or stop it, also across restarts."""

    name = "set_log"
    log: base.ShortText
    enabled: bool


class PublishLog(Command, frozen=True, kw_only=True):
    """Upload what is pending of a log, in objects, to the gateway; see :mod:`trove.conductor.uploads`.

    The result is ``{"bytes", "position", "complete"}``: ``complete`` is false when time or the ticket ran out first.
    """

    name = "publish_log"
    log: base.ShortText
    #: Id and secret of the ticket, which is good for this log of this instance and for some minutes.
    ticket_id: base.Identifier
    ticket: base.Secret
    #: Up to where the log was published, as the guest said; ``None``: from the beginning.
    position: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    #: Largest object in bytes.
    limit: Annotated[int, msgspec.Meta(ge=1, le=2**30)]
    #: Base URL of the gateway, for a guest that talks over the message bus; ``None``: where it talks to anyway.
    url: Annotated[str, msgspec.Meta(max_length=2048)] | None = None
    #: PEM of the authority that signs the certificate of :attr:`url`.
    ca: base.LongText | None = None


class ModuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A module for the driver of its type.

    :ivar contents: may hold a licence; see :mod:`trove.domain.modules` for its bounds.
    """

    id: base.Identifier
    type: base.ShortText
    name: base.ShortText
    contents: Annotated[str, msgspec.Meta(min_length=1, max_length=32768)]

    def __repr__(self) -> str:
        return f"<ModuleSpec {self.id}>"


class ApplyModules(Command, frozen=True, kw_only=True):
    """Have each module applied by the driver of its type, in this order.

    The result is ``{"modules": [{"id", "status", "message", "md5"}]}``, with status ``OK`` or ``ERROR`` and the digest
    of the contents that came: one that fails does not keep the others from being applied.
    """

    name = "apply_modules"
    modules: Annotated[list[ModuleSpec], msgspec.Meta(min_length=1, max_length=50)]


class RemoveModule(Command, frozen=True, kw_only=True):
    """Have a module removed by the driver of its type; one that is not there counts as removed."""

    name = "remove_module"
    id: base.Identifier
    type: base.ShortText


class RotateKeys(Command, frozen=True, kw_only=True):
    """The control plane's half of an X25519 exchange (RFC 7748) for the next generation of the guest's master key.

    The result is ``{"public_key", "peer_public_key"}``: the guest's half, and an echo of :attr:`public_key`. The guest
    keeps both keys, and goes on with the old one, until it hears something under the new one.
    """

    name = "rotate_keys"
    public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    generation: Annotated[int, msgspec.Meta(ge=2)]


class RotatedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The result of :class:`RotateKeys`."""

    public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    peer_public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


#: Symbol of a command that was not begun because its deadline had passed, and never will be.
EXPIRED_SYMBOL = "command.expired"
#: Symbol of a command that a guest refused because it has seen a higher term of the same set.
STALE_TERM_SYMBOL = "guest.stale_term"

COMMANDS: dict[tuple[str, int], type[Command]] = {
    (cls.name, cls.version): cls
    for cls in (
        Prepare,
        CreateDatabases,
        DropDatabase,
        CreateUsers,
        AlterUser,
        DropUser,
        GrantAccess,
        RevokeAccess,
        EnableRoot,
        DisableRoot,
        Restart,
        StartEngine,
        StopEngine,
        Reconfigure,
        Configure,
        GrowVolume,
        SetLog,
        PublishLog,
        ApplyModules,
        RemoveModule,
        RotateKeys,
    )
}


class CommandFrame(base.Message, frozen=True, kw_only=True):
    """A command on its way: the body of an envelope towards a guest."""

    name = "command"
    id: base.Identifier
    command: base.ShortText
    command_version: int
    #: Epoch of the workflow that asked; the guest refuses one lower than it has seen for the same workflow.
    workflow_id: base.Identifier | None = None
    epoch: base.Count = 0
    #: The set on whose roles the command depends, and the set's term when it was made; the guest refuses a term lower
    #: than it has seen of the same set. ``None``: it depends on no role.
    set_id: base.Identifier | None = None
    term: base.Count = 0
    args: dict[str, Any]
    #: Milliseconds since the Unix epoch on the control plane's clock: what has not been begun by then never is.
    deadline: base.Count | None = None
    #: Milliseconds until the deadline from when the command before this one has ended, if that is later.
    allowance: base.Count = 0


class Acknowledge(base.Message, frozen=True, kw_only=True):
    """These reports are persisted; the guest may forget them."""

    name = "acknowledge"
    report_ids: Annotated[list[base.Identifier], msgspec.Meta(max_length=10000)]


class Enrolled(base.Message, frozen=True, kw_only=True):
    """The answer to :class:`trove.wire.report.Enrol`: the control plane's half of the key exchange."""

    name = "enrolled"
    #: Echo of the request, so that a late answer to an earlier attempt is not mistaken for this one's.
    public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    peer_public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    generation: base.Count


class Refused(base.Message, frozen=True, kw_only=True):
    """The control plane will not talk to this guest in this way; ``remedy`` says why."""

    name = "refused"
    symbol: base.ShortText
    remedy: base.LongText
    #: The report that was refused for good, if it is about one: the guest need not send it again.
    report_id: base.Identifier | None = None


TO_GUEST: dict[tuple[str, int], type[base.Message]] = {
    (cls.name, cls.version): cls for cls in (CommandFrame, Acknowledge, Enrolled, Refused)
}

CommandState = Literal["PENDING", "ACCEPTED", "DONE", "FAILED", "EXPIRED"]
