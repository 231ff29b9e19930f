# SPDX-License-Identifier: Apache-2.0
"""Databases and users inside an instance."""

from typing import Any

from trove.api import microversions
from trove.api.request import ApiRequest
from trove.objects.inventory import DatabaseRow, UserRow


def database(req: ApiRequest, row: DatabaseRow) -> dict[str, Any]:
    """Return one database; from 1.1 with what is known of its character set and collation."""
    shown: dict[str, Any] = {"name": row.name}
    if req.version >= microversions.STRICT:
        if row.character_set is not None:
            shown["character_set"] = row.character_set
        if row.collate is not None:
            shown["collate"] = row.collate
    return shown


def user(row: UserRow) -> dict[str, Any]:
    """Return one user; its password is known to nobody."""
    return {"name": row.name, "host": row.host, "databases": access(row)}


def access(row: UserRow) -> list[dict[str, str]]:
    """Return the databases a user may use."""
    return [{"name": name} for name in row.databases]
