# SPDX-License-Identifier: Apache-2.0
"""Notifications that wait to be sent, and how far periodic ones have come.

A row is written in the transaction of what it tells of, so that no event is lost or told of something that never
happened; a sender removes it once the bus has it.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Notification(base.Base):
    __tablename__ = "notifications"

    #: Order of sending. SQLite counts only in its own INTEGER type.
    sequence: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    event_type: Mapped[str] = mapped_column(sa.String(128))
    publisher_id: Mapped[str] = mapped_column(sa.String(255))
    payload: Mapped[dict[str, Any]] = mapped_column(types.JSONText)
    #: The sender that has taken it, and until when nobody else does.
    owner: Mapped[str | None] = mapped_column(sa.String(255))
    claimed_until: Mapped[base.Moment | None]
    created_at: Mapped[base.Moment]


class PeriodicMark(base.Base):
    """How far a task has come that must look at everything once in each period, whichever process does it."""

    __tablename__ = "periodic_marks"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: Number of the period since the epoch of Unix time.
    period: Mapped[int] = mapped_column(sa.BigInteger)
    #: The last key that was looked at in it; empty at its beginning, NULL when all were.
    position: Mapped[str | None] = mapped_column(sa.String(255))
