# SPDX-License-Identifier: Apache-2.0
"""Schemas of the logs of an instance."""

from typing import Any

from trove.api.schemas import atoms
from trove.domain import guest_logs

_BYTES = {"type": "integer", "minimum": 0}
_LOG: dict[str, Any] = atoms.document(
    {
        "name": {"type": "string"},
        "type": {"enum": [guest_logs.USER, guest_logs.SYS]},
        "status": {"enum": list(guest_logs.STATUSES)},
        "published": _BYTES,
        "pending": _BYTES,
        "container": {"type": "string"},
        "prefix": {"type": "string"},
        "metafile": {"type": "string"},
    }
)

SCHEMAS = {
    "log.change": atoms.document(
        {
            "name": atoms.NAME,
            "enable": atoms.BOOL_INT,
            "disable": atoms.BOOL_INT,
            "publish": atoms.BOOL_INT,
            "discard": atoms.BOOL_INT,
        },
        optional=("enable", "disable", "publish", "discard"),
        **{"x-ignore-unknown-until": "1.1"},
    ),
    "log": atoms.document({"log": _LOG}),
    "logs": atoms.collection("logs", _LOG),
}
