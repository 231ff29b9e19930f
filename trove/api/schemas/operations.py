# SPDX-License-Identifier: Apache-2.0
"""Schemas of operations."""

from typing import Any

from trove.api.schemas import atoms
from trove.domain import operations
from trove.workflow.model import State, StepState

_PERCENT = {"type": "integer", "minimum": 0, "maximum": 100}
_STEP = atoms.document(
    {
        "name": {"type": "string"},
        "state": {"enum": [state.value for state in StepState]},
        "progress": _PERCENT,
        "attempt": {"type": "integer", "minimum": 0},
        "started": atoms.TIMESTAMP,
        "finished": atoms.TIMESTAMP,
    },
    optional=("started", "finished"),
)
_SUMMARY: dict[str, Any] = {
    "id": atoms.UUID,
    "kind": {"enum": sorted(operations.KINDS)},
    "state": {"enum": [state.value for state in State]},
    "progress": _PERCENT,
    "created": atoms.TIMESTAMP,
    "updated": atoms.TIMESTAMP,
    "finished": atoms.TIMESTAMP,
    "deadline": atoms.TIMESTAMP,
    "error": atoms.document({"symbol": {"type": "string"}, "message": {"type": "string"}}),
}
_OPTIONAL = ("finished", "deadline", "error")

SCHEMAS = {
    "operations": atoms.collection("operations", atoms.document(_SUMMARY, optional=_OPTIONAL), paged=True),
    "operation": atoms.document(
        {"operation": atoms.document({**_SUMMARY, "steps": {"type": "array", "items": _STEP}}, optional=_OPTIONAL)}
    ),
}
