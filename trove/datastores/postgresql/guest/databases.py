# SPDX-License-Identifier: Apache-2.0
"""Create, drop and list databases.

A new database begins closed (``ALLOW_CONNECTIONS false``) and is opened when its rights are in place: there is no
moment in which everybody may connect, and a half-made one is recognised when the command is repeated.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg2
from psycopg2 import errors

from trove.datastores import spi
from trove.datastores.postgresql import facts
from trove.datastores.postgresql.guest.access import (
    MAINTENANCE,
    Access,
    Database,
    Session,
    execute,
    find_database,
    role_exists,
)
from trove.datastores.postgresql.guest.connection import is_away, reason
from trove.wire import command

DEFAULT_ENCODING = "UTF8"


class Databases:
    """Databases of the instance's owner."""

    def __init__(self, session: Session, access: Access) -> None:
        self._session = session
        self._access = access

    def create(self, specs: Sequence[command.DatabaseSpec]) -> None:
        """Create each database. One that exists as asked, made by us, counts as created.

        :raises EngineError: ``database.exists``, ``database.reserved``, ``database.character_set``,
        ``database.collation``,
            ``database.create_failed``; the text names the database. Those before it in the list exist then.
        """
        with self._session(MAINTENANCE) as connection:
            self._access.drop_orphans(connection)
            for spec in specs:
                self._create(connection, spec)

    def drop(self, name: str) -> None:
        """Drop a database and end its connections; one that is gone counts as dropped.

        :raises EngineError: ``database.reserved``.
        """
        _refuse_reserved(name)
        with self._session(MAINTENANCE) as connection:
            found = find_database(connection, name)
            if found is not None:
                if found.is_template:
                    execute(connection, "ALTER DATABASE {} IS_TEMPLATE false", name)
                execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            self._access.drop_orphans(connection)

    def secure(self) -> None:
        """Keep users out of the databases that are not theirs."""
        with self._session(MAINTENANCE) as connection:
            for name in ("postgres", "template1"):
                execute(connection, "REVOKE ALL PRIVILEGES ON DATABASE {} FROM PUBLIC", name)

    def _create(self, connection: Any, spec: command.DatabaseSpec) -> None:
        _refuse_reserved(spec.name)
        wanted, collation = facts.meant(spec.character_set, spec.collate)
        spec = msgspec.structs.replace(spec, character_set=wanted, collate=collation)
        encoding = facts.canonical_encoding(spec.character_set or DEFAULT_ENCODING)
        if encoding is None:
            raise spi.EngineError(
                "database.character_set",
                f"PostgreSQL has no character set '{spec.character_set}' for database '{spec.name}'.",
            )
        existing = find_database(connection, spec.name)
        if existing is None:
            _create_closed(connection, spec, encoding)
        elif not self._is_same(connection, existing, spec, encoding):
            raise spi.EngineError("database.exists", f"The database '{spec.name}' exists already.")
        self._access.ensure_group(connection, spec.name)

    def _is_same(self, connection: Any, existing: Database, spec: command.DatabaseSpec, encoding: str) -> bool:
        ours = role_exists(connection, existing.group) or not existing.allows_connections
        collation_fits = spec.collate is None or spec.collate == existing.collation
        encoding_fits = spec.character_set is None or encoding == existing.encoding
        return ours and collation_fits and encoding_fits


def _refuse_reserved(name: str) -> None:
    if facts.is_reserved_database(name):
        raise spi.EngineError("database.reserved", f"The database name '{name}' is reserved.")


def _create_closed(connection: Any, spec: command.DatabaseSpec, encoding: str) -> None:
    # Only template0 may be copied into another encoding or collation. Without a wish, the locale of the engine fits
    # UTF8 only; "C" fits every encoding.
    collation = spec.collate or (None if encoding == DEFAULT_ENCODING else "C")
    statement = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING %s ALLOW_CONNECTIONS false"
    values: tuple[object, ...] = (encoding,)
    if collation is not None:
        statement += " LC_COLLATE %s LC_CTYPE %s"
        values += (collation, collation)
    try:
        execute(connection, statement, spec.name, facts.ADMIN, values=values)
    except (errors.WrongObjectType, errors.InvalidParameterValue, errors.FeatureNotSupported) as err:
        raise spi.EngineError(
            "database.collation",
            f"The database '{spec.name}' cannot be created with character set {encoding} and collation {collation}: "
            f"{reason(err)}.",
        ) from err
    except psycopg2.Error as err:
        if is_away(err):
            raise
        raise spi.EngineError(
            "database.create_failed", f"The database '{spec.name}' could not be created: {reason(err)}."
        ) from err
