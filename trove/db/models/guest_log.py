# SPDX-License-Identifier: Apache-2.0
"""Logs that owners may publish, and what was published takes in the object store."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db.models import base


class GuestLog(base.Base):
    """One log of one instance, as its guest reported it last, how much of it has been published, and the ticket of the
    publication in progress."""

    __tablename__ = "guest_logs"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: USER (may be switched) or SYS
    type: Mapped[base.Word]
    #: One of trove.domain.guest_logs
    status: Mapped[base.Word]
    #: Whether the engine writes it; NULL for one that is always written.
    enabled: Mapped[bool | None]
    #: Name of its file, for people.
    file: Mapped[str | None] = mapped_column(sa.String(255))
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    published_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    pending_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    #: Up to where it was published, in the guest's words; NULL: nothing, or discarded.
    position: Mapped[str | None] = mapped_column(sa.String(128))
    #: Where it was published; NULL until it was.
    container: Mapped[str | None] = mapped_column(sa.String(255))
    prefix: Mapped[str | None] = mapped_column(sa.String(255))
    #: The ticket under which the guest may upload: id, SHA-256 of its secret, end, bytes it is still good for, objects
    #: stored under it, time of its issue. NULL ticket_id: no upload is accepted.
    ticket_id: Mapped[base.ID | None]
    ticket_hash: Mapped[str | None] = mapped_column(sa.String(64))
    ticket_expires_at: Mapped[base.Moment | None]
    ticket_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    ticket_objects: Mapped[int]
    ticket_issued_at: Mapped[base.Moment | None]
    updated_at: Mapped[base.Moment]


class PublishedLog(base.Base):
    """What one publication takes. It outlives its log and its instance, as the objects do, until they expire."""

    __tablename__ = "published_logs"
    __table_args__ = base.table_args(
        sa.Index(None, "project_id", "expires_at"),
        sa.Index(None, "instance_id", "log"),
    )

    ticket_id: Mapped[base.Key]
    project_id: Mapped[base.Project]
    instance_id: Mapped[base.ID]
    log: Mapped[base.Word]
    #: What its objects count for.
    stored_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    #: What more may come; 0 when the ticket is closed.
    reserved_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[base.Moment]
