# SPDX-License-Identifier: Apache-2.0
"""Column types that mean the same on SQLite, MySQL/MariaDB and PostgreSQL."""

import datetime
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext import compiler
from sqlalchemy.sql import expression

#: The time that it is at the database, UTC, in SQL. PostgreSQL's other functions stand still within a transaction.
NOW = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "mysql": "UTC_TIMESTAMP(6)",
    "postgresql": "clock_timestamp() AT TIME ZONE 'UTC'",
}


class Now(expression.FunctionElement[datetime.datetime]):
    """The database's time as a column of a query, UTC, naive: what was read and what time it was, in one statement."""

    type = sa.DateTime()
    inherit_cache = True


@compiler.compiles(Now)  # type: ignore[no-untyped-call, untyped-decorator]
def _compile_now(_element: Now, of: sa.Compiled, **_options: Any) -> str:
    return f"({NOW[of.dialect.name]})"


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


class Sealed:
    """An encrypted value as it is stored; see :mod:`trove.db.sealed` for what makes and opens it.

    :ivar text: as :class:`trove.db.crypto.Keyring` made it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "<Sealed>"


class EncryptedJSON(sa.TypeDecorator[Sealed]):
    """A JSON value encrypted with a key-encryption key and bound to its row.

    A column type never sees the row of its value, so it neither seals nor opens: it takes and gives :class:`Sealed`
    and refuses everything else. :func:`trove.db.sealed.seal` makes one of a plain value.

    :param name: ``table.column``, to which ciphertexts are bound; a test compares it with the real names.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(mysql.MEDIUMTEXT() if dialect.name == "mysql" else sa.Text())

    def process_bind_param(self, value: Sealed | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError(f"a value for {self.name} is not sealed")
        return value.text

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Sealed | None:
        return None if value is None else Sealed(value)
