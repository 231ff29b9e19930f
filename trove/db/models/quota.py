# SPDX-License-Identifier: Apache-2.0
"""Limits that differ from the configured defaults, and usage."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db.models import base


class QuotaLimit(base.Base):
    __tablename__ = "quota_limits"

    project_id: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    resource: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    hard_limit: Mapped[int]


class QuotaUsage(base.Base):
    __tablename__ = "quota_usages"

    project_id: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    resource: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    in_use: Mapped[int]
