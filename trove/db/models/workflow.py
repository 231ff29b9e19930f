# SPDX-License-Identifier: Apache-2.0
"""Durable workflows; only :mod:`trove.workflow.store` reads or writes these tables."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import types
from trove.db.models import base


class Workflow(base.Base):
    __tablename__ = "workflows"
    __table_args__ = base.table_args(
        # One active workflow per resource on every database: NULLs do not collide.
        sa.UniqueConstraint("claim_key"),
        # Serves the poll for work: WHERE wake_at <= now ORDER BY wake_at. Finished ones have wake_at NULL.
        sa.Index("ix_workflows_wake_at", "wake_at"),
        sa.Index("ix_workflows_owner", "owner"),
        sa.Index("ix_workflows_after_id", "after_id"),
        sa.Index("ix_workflows_resource_id_created_at", "resource_id", "created_at"),
        # Serves retention: WHERE finished_at < ? ORDER BY finished_at, id.
        sa.Index("ix_workflows_finished_at_id", "finished_at", "id"),
    )

    id: Mapped[base.Key]
    kind: Mapped[base.Word]
    kind_version: Mapped[int]
    resource_type: Mapped[base.Word]
    resource_id: Mapped[base.ID]
    project_id: Mapped[base.Project]
    request_id: Mapped[str | None] = mapped_column(sa.String(64))
    #: 'instance:<id>' while active and exclusive, else NULL.
    claim_key: Mapped[str | None] = mapped_column(sa.String(128))
    #: The workflow that must end before this one starts; it then takes over this one's wanted claim.
    after_id: Mapped[base.ID | None]
    wanted_claim: Mapped[str | None] = mapped_column(sa.String(128))
    #: QUEUED RUNNING WAITING UNWINDING SUCCEEDED REVERTED PARKED
    state: Mapped[base.Word]
    cursor: Mapped[int]
    inputs: Mapped[dict[str, Any]] = mapped_column(types.JSONText)
    #: When a worker may run it; NULL exactly when no worker may (finished, parked, or queued behind another).
    wake_at: Mapped[base.Moment | None]
    deadline: Mapped[base.Moment | None]
    cancel_requested_at: Mapped[base.Moment | None]
    owner: Mapped[str | None] = mapped_column(sa.String(128))
    epoch: Mapped[int]
    lease_until: Mapped[base.Moment | None]
    error_symbol: Mapped[str | None] = mapped_column(sa.String(128))
    #: One sentence for the user.
    error_message: Mapped[str | None] = mapped_column(sa.String(255))
    #: For the operator.
    error_detail: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[base.Moment]
    updated_at: Mapped[base.Moment]
    finished_at: Mapped[base.Moment | None]


class WorkflowStep(base.Base):
    __tablename__ = "workflow_steps"

    workflow_id: Mapped[str] = mapped_column(sa.String(36), sa.ForeignKey("workflows.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    position: Mapped[int]
    #: PENDING RUNNING WAITING DONE FAILED UNDONE
    state: Mapped[base.Word]
    attempt: Mapped[int]
    #: Idempotency token for outside calls, made once per step.
    token: Mapped[base.ID]
    #: Name of the signal awaited, if any. The deadline is when the step runs again at the latest, whatever it waits
    #: for.
    signal: Mapped[str | None] = mapped_column(sa.String(128))
    deadline: Mapped[base.Moment | None]
    output: Mapped[dict[str, Any] | None] = mapped_column(types.JSONText)
    progress: Mapped[int]
    error: Mapped[str | None] = mapped_column(sa.Text)
    started_at: Mapped[base.Moment | None]
    finished_at: Mapped[base.Moment | None]


class WorkflowSignal(base.Base):
    """What arrived, maybe before somebody waited for it."""

    __tablename__ = "workflow_signals"
    __table_args__ = base.table_args(sa.UniqueConstraint("workflow_id", "name"))

    id: Mapped[base.Key]
    workflow_id: Mapped[base.ID] = mapped_column(sa.ForeignKey("workflows.id"))
    name: Mapped[str] = mapped_column(sa.String(128))
    payload: Mapped[dict[str, Any] | None] = mapped_column(types.JSONText)
    created_at: Mapped[base.Moment]
