# SPDX-License-Identifier: Apache-2.0
"""Which processes run, on which host, and of which release."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Service(base.Base):
    """One process of the control plane; it says again and again that it lives, and removes its row when it stops."""

    __tablename__ = "services"
    __table_args__ = base.table_args(sa.Index("ix_services_seen_at", "seen_at"))

    #: Made at the start of the process.
    id: Mapped[base.Key]
    #: trove-api, trove-taskmanager, trove-conductor or trove-standalone
    program: Mapped[base.Word]
    host: Mapped[str] = mapped_column(sa.String(255))
    pid: Mapped[int]
    #: Version of the package.
    release: Mapped[base.Word]
    #: The newest version of each thing that crosses between processes which this one understands: {name: "major.minor"}
    versions: Mapped[dict[str, str]] = mapped_column(types.JSONText)
    started_at: Mapped[base.Moment]
    seen_at: Mapped[base.Moment]
