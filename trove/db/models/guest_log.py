# SPDX-License-Identifier: Apache-2.0
"""Logs of the engine that owners may publish."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db.models import base


class GuestLog(base.Base):
    """One log of one instance, as its guest reported it last, and how much of it has been published."""

    __tablename__ = "guest_logs"

    instance_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("instances.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: USER (may be switched) or SYS
    type: Mapped[base.Word]
    #: One of trove.domain.guest_logs
    status: Mapped[base.Word]
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    published_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    #: Where it was published; NULL until it was.
    container: Mapped[str | None] = mapped_column(sa.String(255))
    prefix: Mapped[str | None] = mapped_column(sa.String(255))
    updated_at: Mapped[base.Moment]
