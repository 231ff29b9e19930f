# SPDX-License-Identifier: Apache-2.0
"""Column types that mean the same on SQLite, MySQL/MariaDB and PostgreSQL."""

import datetime
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from trove.db import crypto


class UTCDateTime(sa.TypeDecorator[datetime.datetime]):
    """A naive UTC datetime with microseconds; MySQL's plain DATETIME would drop the fraction that leases need."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime.datetime | None, dialect: sa.Dialect) -> datetime.datetime | None:
        if value is not None and value.tzinfo is not None:
            return value.astimezone(datetime.UTC).replace(tzinfo=None)
        return value


class JSONText(sa.TypeDecorator[Any]):
    """A JSON value stored as text (MEDIUMTEXT on MySQL); equality is not defined on it, never filter by it."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(mysql.MEDIUMTEXT() if dialect.name == "mysql" else sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else json.loads(value)


class EncryptedJSON(sa.TypeDecorator[Any]):
    """A JSON value encrypted with the key-encryption key; see :mod:`trove.db.crypto`.

    :param purpose: name of the column; a ciphertext opens only under the purpose it was sealed for.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(mysql.MEDIUMTEXT() if dialect.name == "mysql" else sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        return crypto.current().seal(json.dumps(value).encode(), self.purpose)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else json.loads(crypto.current().open(value, self.purpose))
