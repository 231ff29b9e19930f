# SPDX-License-Identifier: Apache-2.0
"""Documents of the logs of an instance."""

from collections.abc import Iterable
from typing import Any

from trove.domain import guest_logs
from trove.objects.guest_log import LogRow

#: What clients are told of a place that does not exist yet; they print it as it is.
_NOWHERE = "None"


def show(row: LogRow, manager: str) -> dict[str, Any]:
    """Return ``{"log": …}``.

    :param manager: name of the datastore's plugin.
    """
    return {"log": _log(row, manager)}


def index(rows: Iterable[LogRow], manager: str) -> dict[str, Any]:
    """Return ``{"logs": […]}``."""
    return {"logs": [_log(row, manager) for row in rows]}


def _log(row: LogRow, manager: str) -> dict[str, Any]:
    published = row.container is not None
    return {
        "name": row.name,
        "type": row.type,
        "status": row.status,
        "published": row.published_bytes,
        "pending": row.pending_bytes,
        "container": row.container if published else _NOWHERE,
        "prefix": row.prefix if published else _NOWHERE,
        "metafile": guest_logs.metafile(row.instance_id, manager, row.name),
    }
