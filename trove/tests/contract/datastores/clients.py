# SPDX-License-Identifier: Apache-2.0
"""What a tenant's application does, per engine: connect over TCP with name and password, write, read."""

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, Protocol

import psycopg2
import pymysql
import redis
from redis import backoff, retry


class Refused(Exception):
    """The engine did not let this user in."""


class Failed(Exception):
    """The engine did not carry out a statement, or the connection is gone."""


class Client(Protocol):
    """An open connection of a tenant.

    A client whose engine is a cache has an attribute ``durable`` that is false: what was stored may be gone after a
    restart.
    """

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement with ``%s`` for values and return its rows.

        :raises Failed: when the engine does not carry it out.
        """

    def put(self, number: int) -> None:
        """Store a number, in whatever way the engine stores things.

        :raises Failed: when the engine does not carry it out.
        """

    def numbers(self) -> list[int]:
        """Return what :meth:`put` stored, sorted.

        :raises Failed: when the engine does not carry it out.
        """

    def close(self) -> None: ...


#: A connection that was ended must be seen to be, and not be made again behind the test's back.
NO_RETRY = retry.Retry(backoff.NoBackoff(), 0)


#: (host, port, user, password, database) -> Client
Connect = Callable[[str, int, str, str, str], Client]


class TableOfNumbers:
    """How an engine with SQL stores numbers."""

    def put(self: Client, number: int) -> None:
        self.execute("CREATE TABLE IF NOT EXISTS numbers (n int)")
        self.execute("INSERT INTO numbers VALUES (%s)", number)

    def numbers(self: Client) -> list[int]:
        return sorted(n for (n,) in self.execute("SELECT n FROM numbers"))


class PostgreSQLClient(TableOfNumbers):
    """A tenant of PostgreSQL."""

    def __init__(self, host: str, port: int, user: str, password: str, database: str) -> None:
        try:
            self._connection = psycopg2.connect(
                host=host, port=port, user=user, password=password, dbname=database, connect_timeout=30
            )
        except psycopg2.OperationalError as err:
            raise Refused(str(err)) from err
        self._connection.autocommit = True

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as err:
            raise Failed(str(err)) from err

    def close(self) -> None:
        self._connection.close()


class MySQLClient(TableOfNumbers):
    """A tenant of MariaDB or MySQL."""

    def __init__(self, host: str, port: int, user: str, password: str, database: str) -> None:
        try:
            self._connection = pymysql.connect(
                host=host,
                port=port,
                user=user,
                # As text it would have to be Latin-1.
                password=password.encode(),
                database=database or None,
                charset="utf8mb4",
                connect_timeout=30,
                read_timeout=60,
                autocommit=True,
            )
        except (pymysql.Error, OSError) as err:
            raise Refused(str(err)) from err

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        except (pymysql.Error, OSError) as err:
            raise Failed(str(err)) from err

    def close(self) -> None:
        if self._connection.open:
            self._connection.close()


class RedisClient:
    """A tenant of Redis or Valkey; ``database`` is ignored, statements are words."""

    def __init__(self, host: str, port: int, user: str, password: str, database: str = "") -> None:
        self._connection = redis.Redis(
            host=host,
            port=port,
            username=user,
            password=password,
            socket_timeout=30,
            decode_responses=True,
            retry=NO_RETRY,
        )
        try:
            self._connection.ping()
        except redis.RedisError as err:
            raise Refused(str(err)) from err

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            answer = self._connection.execute_command(*statement.split(), *values)
        except redis.RedisError as err:
            raise Failed(str(err)) from err
        return [(item,) for item in answer] if isinstance(answer, list) else [(answer,)]

    def put(self, number: int) -> None:
        self.execute("SADD numbers", number)

    def numbers(self) -> list[int]:
        try:
            return sorted(int(item) for item in self._connection.smembers("numbers"))
        except redis.RedisError as err:
            raise Failed(str(err)) from err

    def close(self) -> None:
        self._connection.close()


#: A new datastore adds its own here; the suite fails for a plugin without one.
CLIENTS: dict[str, Connect] = {
    "mariadb": MySQLClient,
    "mysql": MySQLClient,
    "postgresql": PostgreSQLClient,
    "redis": RedisClient,
    "valkey": RedisClient,
}


#: Where a distribution that brings an engine names its client, so that this suite can be run against it.
GROUP = "trove.datastores.contract_client"


def find(manager: str) -> Connect | None:
    """Return the client of an engine: one of ours, or the one that its own distribution brings."""
    if manager in CLIENTS:
        return CLIENTS[manager]
    entries = {entry.value: entry for entry in metadata.entry_points(group=GROUP, name=manager)}
    return next((entry.load() for entry in entries.values()), None)


def connect(manager: str, address: Sequence[Any], user: str, password: str, database: str) -> Client:
    """Connect as a tenant.

    :raises Refused: when the engine does not let the user in.
    """
    host, port = address
    client = find(manager)
    assert client is not None, f"the engine '{manager}' brings no client for this suite"
    return client(host, port, user, password, database)
