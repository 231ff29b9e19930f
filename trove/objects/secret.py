# SPDX-License-Identifier: Apache-2.0
"""Values that must not stand in a workflow or a message; these carry the id instead. Encrypted at rest."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from trove.common import ids
from trove.db import api, models, sealed
from trove.objects import base, errors

_TABLE = base.table_of(models.Secret)


def put(session: orm.Session, resource_id: str, purpose: str, value: Any) -> str:
    """Store ``value`` (JSON) for a resource and return the secret's id.

    :param purpose: what it is for (``admin-password``, ``create``); one resource may have several.
    """
    secret_id = ids.new_id()
    row = {
        "id": secret_id,
        "resource_id": resource_id,
        "purpose": purpose,
        "value": value,
        "created_at": api.now(session),
    }
    session.execute(sa.insert(_TABLE).values(sealed.seal(_TABLE, row)))
    return secret_id


def get(session: orm.Session, secret_id: str) -> Any:
    """Return the value.

    :raises SecretNotFound: when it was never there or is used up.
    """
    found = _first(session, sa.select(_TABLE.c.id, _TABLE.c.value).where(_TABLE.c.id == secret_id))
    if found is None:
        raise errors.SecretNotFound(secret_id)
    return found["value"]


def find(session: orm.Session, resource_id: str, purpose: str) -> Any | None:
    """Return the newest value of a resource for ``purpose``, or ``None``."""
    query = sa.select(_TABLE.c.id, _TABLE.c.value).where(
        _TABLE.c.resource_id == resource_id, _TABLE.c.purpose == purpose
    )
    found = _first(session, query.order_by(_TABLE.c.created_at.desc(), _TABLE.c.id).limit(1))
    return None if found is None else found["value"]


def delete_for(session: orm.Session, resource_id: str, purpose: str | None = None) -> None:
    """Delete a resource's secrets: all of them, or those for one ``purpose``."""
    statement = sa.delete(_TABLE).where(_TABLE.c.resource_id == resource_id)
    session.execute(statement if purpose is None else statement.where(_TABLE.c.purpose == purpose))


def _first(session: orm.Session, query: sa.Select[Any]) -> dict[str, Any] | None:
    row = session.execute(query).mappings().one_or_none()
    return None if row is None else sealed.reveal(_TABLE, row)
