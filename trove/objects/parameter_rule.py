# SPDX-License-Identifier: Apache-2.0
"""An operator's corrections of the parameters of a datastore version: a row for each one added, changed or hidden."""

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import api, models
from trove.domain.parameter_rule import Rule
from trove.objects import base, upsert

_TABLE = base.table_of(models.ParameterRule)
_COLUMNS = ("data_type", "restart_required", "minimum", "maximum", "hidden", "updated_at")


def of_version(session: orm.Session, version_id: str) -> list[Rule]:
    """Return the rules of a datastore version, by name."""
    query = sa.select(_TABLE).where(_TABLE.c.datastore_version_id == version_id).order_by(_TABLE.c.name)
    return [
        Rule(
            name=row["name"],
            type=row["data_type"],
            restart=row["restart_required"],
            min=_number(row["minimum"]),
            max=_number(row["maximum"]),
            hidden=row["hidden"],
        )
        for row in session.execute(query).mappings()
    ]


def put(session: orm.Session, version_id: str, rules: list[Rule]) -> None:
    """Insert the rules, or make those with the same names equal to them."""
    now = api.now(session)
    rows = [
        {
            "datastore_version_id": version_id,
            "name": rule.name,
            "data_type": rule.type,
            "restart_required": rule.restart,
            "minimum": None if rule.min is None else str(rule.min),
            "maximum": None if rule.max is None else str(rule.max),
            "hidden": rule.hidden,
            "created_at": now,
            "updated_at": now,
        }
        for rule in rules
    ]
    if rows:
        upsert.upsert(session, _TABLE, rows, _COLUMNS)


def remove(session: orm.Session, version_id: str, name: str | None = None) -> int:
    """Remove one rule of a datastore version, or all; return how many there were."""
    statement = sa.delete(_TABLE).where(_TABLE.c.datastore_version_id == version_id)
    if name is not None:
        statement = statement.where(_TABLE.c.name == name)
    return base.rows_matched(session, statement)


def _number(text: str | None) -> int | float | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)
