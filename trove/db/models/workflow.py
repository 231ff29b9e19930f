# SPDX-License-Identifier: Apache-2.0
"""Durable workflows; only :mod:`trove.workflow` reads or writes these tables."""

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
        sa.Index("ix_workflows_parent_id", "parent_id"),
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
    #: All keys that it holds while it is active, or wants once its predecessor has ended; kept when it has ended. NULL:
    #: none, or the one in claim_key or wanted_claim.
    claims: Mapped[list[str] | None] = mapped_column(types.JSONText)
    #: 'instance:<id>' while active with this claim alone, else NULL. The former release knows no other claims.
    claim_key: Mapped[str | None] = mapped_column(sa.String(128))
    #: The workflow that must end before this one starts, and then takes its claims.
    after_id: Mapped[base.ID | None]
    #: What claim_key becomes when it starts.
    wanted_claim: Mapped[str | None] = mapped_column(sa.String(128))
    #: The workflow that has started this one for one of its members, and is told when it ends.
    parent_id: Mapped[base.ID | None]
    #: QUEUED RUNNING WAITING UNWINDING SUCCEEDED REVERTED PARKED
    state: Mapped[base.Word]
    cursor: Mapped[int]
    inputs: Mapped[dict[str, Any]] = mapped_column(types.JSONText)
    #: When a worker may run it; NULL exactly when no worker may (finished, parked, or queued behind another).
    wake_at: Mapped[base.Moment | None]
    #: Counts from when it became due. NULL timeout: submitted by the former release, with the deadline it has.
    deadline: Mapped[base.Moment | None]
    timeout: Mapped[float | None] = mapped_column(sa.Double())
    #: When an undo that has not ended is given up.
    undo_deadline: Mapped[base.Moment | None]
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
    undo_started_at: Mapped[base.Moment | None]
    finished_at: Mapped[base.Moment | None]


class WorkflowClaim(base.Base):
    """Who holds which key. A row whose workflow has ended counts for nothing: the former release leaves it behind.

    No foreign key, for the same reason: the former release removes old workflows without looking here.
    """

    __tablename__ = "workflow_claims"
    __table_args__ = base.table_args(sa.Index("ix_workflow_claims_workflow_id", "workflow_id"))

    claim_key: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    workflow_id: Mapped[base.ID]


class WorkflowSignal(base.Base):
    """What arrived, maybe before somebody waited for it."""

    __tablename__ = "workflow_signals"
    __table_args__ = base.table_args(sa.UniqueConstraint("workflow_id", "name"))

    id: Mapped[base.Key]
    workflow_id: Mapped[base.ID] = mapped_column(sa.ForeignKey("workflows.id"))
    name: Mapped[str] = mapped_column(sa.String(128))
    payload: Mapped[dict[str, Any] | None] = mapped_column(types.JSONText)
    created_at: Mapped[base.Moment]
