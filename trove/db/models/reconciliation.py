# SPDX-License-Identifier: Apache-2.0
"""How far the comparison of our rows with each provider has come, and what it has found."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Reconciliation(base.Base):
    """The comparison with one provider; the one under way, or the last one."""

    __tablename__ = "reconciliations"

    provider: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: The host whose things a provider lists that knows only one; empty where that does not matter.
    host: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    #: The taskmanager that is at it, and until when nobody else is.
    owner: Mapped[str | None] = mapped_column(sa.String(255))
    claimed_until: Mapped[base.Moment | None]
    started_at: Mapped[base.Moment]
    #: Where it goes on; NULL once it has seen everything.
    position: Mapped[dict[str, Any] | None] = mapped_column(types.JSONText)


class ProviderFinding(base.Base):
    """A difference between our rows and what a provider lists."""

    __tablename__ = "provider_findings"
    __table_args__ = base.table_args(sa.Index("ix_provider_findings_owner_id", "owner_id"))

    provider: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    #: port, server, server_group or volume
    kind: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    tag: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    #: See trove.domain.reconciliation.Problem.
    problem: Mapped[str] = mapped_column(sa.String(32))
    #: instance or server-group, and which.
    owner_kind: Mapped[str] = mapped_column(sa.String(32))
    owner_id: Mapped[base.ID]
    #: The provider's own id of it, and what else it tells an operator.
    outside_id: Mapped[str] = mapped_column(sa.String(255))
    detail: Mapped[str] = mapped_column(sa.Text)
    first_seen_at: Mapped[base.Moment]
    last_seen_at: Mapped[base.Moment]
    reported_at: Mapped[base.Moment | None]
    #: When its removal was tried last, first_seen_at before that, and why that failed.
    tried_at: Mapped[base.Moment]
    error: Mapped[str | None] = mapped_column(sa.Text)
