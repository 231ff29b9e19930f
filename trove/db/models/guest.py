# SPDX-License-Identifier: Apache-2.0
"""What is known of guests: identity and keys, last heartbeat, inventory, commands."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class GuestIdentity(base.Base):
    """Keys and replay position of one guest."""

    __tablename__ = "guest_identities"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    #: ISSUED (one-time key out), EXCHANGING (new key handed out, not used yet), ENROLLED (one-time key erased), REVOKED
    state: Mapped[base.Word]
    #: Key generation in force; 0 is the one-time key.
    generation: Mapped[int]
    #: {"one_time": hex, "master": hex, "exchange": hex, "next": hex}; erased as they go out of use.
    keys: Mapped[types.Sealed] = mapped_column(types.EncryptedJSON("guest_identities.keys"))
    #: messaging or gateway
    transport: Mapped[base.Word]
    #: Replay position: boot counter, highest sequence of that boot, bitmap (hex) of the window below it.
    boot: Mapped[int]
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    window: Mapped[str] = mapped_column(sa.String(64))
    #: Commands the agent says it can handle, {name: [versions]}, also those that nobody here knows; NULL until then.
    commands: Mapped[dict[str, list[int]] | None] = mapped_column(types.JSONText)
    #: Last sequence used towards the guest.
    sent_sequence: Mapped[int] = mapped_column(sa.BigInteger)
    #: Boot and sequence of the newest inventory that was taken: an older one must not be written over it.
    inventory_boot: Mapped[int] = mapped_column(server_default="0")
    inventory_sequence: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    enrolled_at: Mapped[base.Moment | None]
    #: When a later generation than the first came into use.
    keys_changed_at: Mapped[base.Moment | None]
    created_at: Mapped[base.Moment]


class Heartbeat(base.Base):
    """The narrow table that the highest-rate message lands in; one row per instance."""

    __tablename__ = "heartbeats"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    service_status: Mapped[base.Word]
    #: Why, when the status is not healthy; one sentence from the guest.
    reason: Mapped[str | None] = mapped_column(sa.String(255))
    reported_at: Mapped[base.Moment | None]
    agent_version: Mapped[str | None] = mapped_column(sa.String(64))
    handler_version: Mapped[str | None] = mapped_column(sa.String(64))
    protocol_min: Mapped[int]
    protocol_max: Mapped[int]
    volume_used_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    volume_total_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    wal_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: When a conductor last slowed the guest down, because it reports more than its budget.
    slowed_at: Mapped[base.Moment | None]


class InventoryDatabase(base.Base):
    """A database the guest reported."""

    __tablename__ = "inventory_databases"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    character_set: Mapped[str | None] = mapped_column(sa.String(64))
    collate: Mapped[str | None] = mapped_column(sa.String(64))


class InventoryUser(base.Base):
    """A user the guest reported, with the databases it may use."""

    __tablename__ = "inventory_users"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    databases: Mapped[list[str]] = mapped_column(types.JSONText)


class GuestCommand(base.Base):
    """A command on its way to a guest: the committed row is the message, the bus only carries it."""

    __tablename__ = "guest_commands"
    __table_args__ = base.table_args(
        sa.Index("ix_guest_commands_instance_id_state_sequence", "instance_id", "state", "sequence"),
        sa.Index("ix_guest_commands_state_send_at", "state", "send_at"),
        sa.Index("ix_guest_commands_finished_at_id", "finished_at", "id"),
        sa.UniqueConstraint("instance_id", "sequence"),
    )

    id: Mapped[base.Key]
    instance_id: Mapped[base.ID] = mapped_column(sa.ForeignKey("instances.id"))
    workflow_id: Mapped[base.ID | None]
    step: Mapped[str | None] = mapped_column(sa.String(64))
    #: The workflow's epoch when the command was made; a guest refuses a lower one.
    epoch: Mapped[int]
    #: The set on whose roles it depends, and the set's term then; a guest refuses a lower one. NULL: on none.
    set_id: Mapped[base.ID | None]
    term: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: Order within the instance, from guest_identities.sent_sequence.
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    name: Mapped[base.Word]
    version: Mapped[int]
    #: Encrypted, because they may hold passwords; erased when the command is finished.
    args: Mapped[types.Sealed | None] = mapped_column(types.EncryptedJSON("guest_commands.args"))
    #: PENDING, ACCEPTED, UNKNOWN, DONE, FAILED, EXPIRED
    state: Mapped[base.Word]
    result: Mapped[dict[str, Any] | None] = mapped_column(types.JSONText)
    error_symbol: Mapped[str | None] = mapped_column(sa.String(128))
    error_detail: Mapped[str | None] = mapped_column(sa.Text)
    #: When to send (again); pushed ahead at each sending.
    send_at: Mapped[base.Moment]
    #: Until when the guest is to begin if nothing is before it, see :mod:`trove.domain.command_fate`.
    deadline: Mapped[base.Moment]
    created_at: Mapped[base.Moment]
    finished_at: Mapped[base.Moment | None]
