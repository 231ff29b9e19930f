# SPDX-License-Identifier: Apache-2.0
"""The one way into and out of encrypted columns.

What is stored is bound to its row, so the row's primary key must be known: :func:`seal` and :func:`reveal` take it from
the values that are written or read together. The type of the columns (:class:`trove.db.types.EncryptedJSON`) refuses
what did not come this way.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from trove.db import crypto
from trove.db.types import EncryptedJSON, Sealed


@functools.cache
def columns(table: sa.Table) -> tuple[str, ...]:
    """Return the names of a table's encrypted columns."""
    return tuple(column.name for column in table.columns if isinstance(column.type, EncryptedJSON))


def seal(table: sa.Table, values: Mapping[str, Any], key: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return ``values`` with those of encrypted columns sealed for their row; ``None`` stays ``None``.

    :param values: by column.
    :param key: where the primary key stands, unless among ``values``.
    :raises KeyError: when the primary key is not known.
    """
    encrypted = columns(table)
    if not encrypted:
        return dict(values)
    return {
        name: seal_value(table, name, key or values, value) if name in encrypted and value is not None else value
        for name, value in values.items()
    }


def reveal(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``row``, as it was read from a table, with its encrypted columns opened.

    :param row: has the primary key as well.
    :raises DecryptionFailed: when a value was not sealed for this row and column, or its key is not configured.
    """
    encrypted = columns(table)
    if not encrypted:
        return dict(row)
    return {
        name: open_value(table, name, row, value) if name in encrypted and value is not None else value
        for name, value in row.items()
    }


def seal_value(table: sa.Table, column: str, key: Mapping[str, Any], value: Any) -> Sealed:
    """Return one JSON value sealed for a column of the row whose primary key stands in ``key``."""
    return Sealed(crypto.current().seal(json.dumps(value).encode(), place(table, column, key)))


def open_value(table: sa.Table, column: str, key: Mapping[str, Any], value: Sealed) -> Any:
    """Return one JSON value that was sealed for a column of the row whose primary key stands in ``key``.

    :raises DecryptionFailed: see :func:`reveal`.
    """
    return json.loads(crypto.current().open(value.text, place(table, column, key)))


def place(table: sa.Table, column: str, key: Mapping[str, Any]) -> crypto.Place:
    """Return what a value in a column of the row whose primary key stands in ``key`` is bound to."""
    name = cast(EncryptedJSON, table.c[column].type).name
    return crypto.Place(name, tuple(str(key[part.name]) for part in table.primary_key))
