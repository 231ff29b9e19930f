# SPDX-License-Identifier: Apache-2.0
"""Secrets that a workflow refers to by id instead of carrying them."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Secret(base.Base):
    __tablename__ = "secrets"
    __table_args__ = base.table_args(sa.Index("ix_secrets_resource_id_purpose", "resource_id", "purpose"))

    id: Mapped[base.Key]
    resource_id: Mapped[base.ID]
    purpose: Mapped[base.Word]
    value: Mapped[types.Sealed] = mapped_column(types.EncryptedJSON("secrets.value"))
    created_at: Mapped[base.Moment]
