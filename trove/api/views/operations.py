# SPDX-License-Identifier: Apache-2.0
"""Operations: what is and was in progress on a resource."""

import datetime
from typing import Any

from trove.common import clock
from trove.workflow.listing import Operation, OperationStep


def summary(operation: Operation) -> dict[str, Any]:
    """Return the form of a list: everything but the steps. What is not known yet is left out."""
    shown: dict[str, Any] = {
        "id": operation.id,
        "kind": operation.kind,
        "state": operation.state,
        "progress": operation.progress,
        "created": clock.isoformat(operation.created_at),
        "updated": clock.isoformat(operation.updated_at),
    }
    _moments(shown, finished=operation.finished_at, deadline=operation.deadline)
    if operation.error_symbol is not None:
        shown["error"] = {
            "symbol": operation.error_symbol,
            "message": operation.error_message or operation.error_symbol,
        }
    return shown


def detail(operation: Operation) -> dict[str, Any]:
    """Return the operation with its steps."""
    return {**summary(operation), "steps": [_step(step) for step in operation.steps]}


def _step(step: OperationStep) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": step.name, "state": step.state, "progress": step.progress, "attempt": step.attempt}
    _moments(shown, started=step.started_at, finished=step.finished_at)
    return shown


def _moments(shown: dict[str, Any], **moments: datetime.datetime | None) -> None:
    for name, moment in moments.items():
        if moment is not None:
            shown[name] = clock.isoformat(moment)
