#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write ``parameters.yaml`` of PostgreSQL from what real servers say of themselves.

    python tools/parameters/postgresql.py

``pg_settings`` is the catalogue: names, types, units, ranges, words, defaults (``boot_val``), and when a change counts.
What is ``internal`` cannot be set; what is ``postmaster`` needs a restart.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import catalogue
import psycopg2

from trove.tests.contract.datastores import engines

_TYPES = {"bool": "boolean", "integer": "integer", "real": "float", "string": "string", "enum": "enum"}


def ask(manager: str, version: str) -> catalogue.Parameters:
    """Return the settable parameters of one server."""
    with catalogue.running(manager, version) as one:
        (place,) = (path.parent for path in one.environment.state_dir.rglob(".s.PGSQL.5432"))
        connection = psycopg2.connect(
            host=str(place), user="os_admin", password=engines.ADMIN_PASSWORD, dbname="postgres"
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, vartype, unit, min_val, max_val, enumvals, boot_val, context FROM pg_settings "
                "WHERE context <> 'internal' AND name NOT LIKE '%.%'"
            )
            rows = cursor.fetchall()
        connection.close()
    return {row[0]: _describe(*row[1:]) for row in rows}


def _describe(
    kind: str, unit: str | None, low: str | None, high: str | None, words: Any, default: str | None, context: str
) -> dict[str, Any]:
    number = int if kind == "integer" else float
    return {
        "type": _TYPES[kind],
        "unit": unit,
        "min": None if low is None else number(low),
        "max": None if high is None else number(high),
        "values": words,
        "default": default or "",
        "restart": context == "postmaster",
    }


if __name__ == "__main__":
    sys.exit(catalogue.main(__file__, ["postgresql"], "PostgreSQL", ask))
