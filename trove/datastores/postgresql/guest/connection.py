# SPDX-License-Identifier: Apache-2.0
"""Connections of Trove's superuser over the private socket, and a probe that never hangs.

A tenant owns what is inside a database and may set things for it, and a configuration group sets them for all; a
superuser's session must believe neither. The options sent with the connection are stronger than the configuration file,
``ALTER DATABASE … SET`` and ``ALTER ROLE … SET`` (PostgreSQL manual, "Setting Parameters"), count before the first
statement, and leave only the system's schema on the search path (the class of attack in PostgreSQL's CVE-2018-1058).
What counts even before they are read (``transaction_timeout``) has a bound in
:mod:`trove.datastores.postgresql.protected`.
"""

import functools
import re
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions

from trove.common import clock, redact
from trove.datastores.postgresql import facts

MAINTENANCE_DATABASE = "postgres"
#: (parameter, value, first major version that has it). A session does its work whatever these are for others.
_SETTINGS = (
    ("search_path", "pg_catalog,pg_temp", 0),
    ("local_preload_libraries", "", 0),
    ("role", "none", 0),
    ("row_security", "off", 0),
    # Nothing ends a session or a statement but the bounds that are ours.
    ("statement_timeout", "120000", 0),
    ("lock_timeout", "30000", 0),
    ("idle_in_transaction_session_timeout", "0", 0),
    ("idle_session_timeout", "0", 14),
    ("transaction_timeout", "0", 17),
    ("client_connection_check_interval", "0", 14),
    ("temp_file_limit", "-1", 0),
    ("default_transaction_read_only", "off", 0),
    ("default_transaction_isolation", "read committed", 0),
    ("default_transaction_deferrable", "off", 0),
    ("synchronous_commit", "on", 0),
    ("commit_delay", "0", 0),
    # How values are written and read.
    ("standard_conforming_strings", "on", 0),
    ("backslash_quote", "safe_encoding", 0),
    ("DateStyle", "ISO", 0),
    ("TimeZone", "UTC", 0),
    ("IntervalStyle", "postgres", 0),
    ("bytea_output", "hex", 0),
    ("array_nulls", "on", 0),
    ("quote_all_identifiers", "off", 0),
    ("transform_null_equals", "off", 0),
    ("client_min_messages", "error", 0),
    # Makers of verifiers are told by the server, and two thousand millions of rounds take an hour.
    ("scram_iterations", "4096", 16),
    # Short statements that are compiled take longer.
    ("jit", "off", 0),
    # What an owner has logged of all statements is nothing of ours: some hold the verifier of a password.
    ("log_statement", "none", 0),
    ("log_min_duration_statement", "-1", 0),
    ("log_min_duration_sample", "-1", 0),
    ("log_duration", "off", 0),
    ("log_transaction_sample_rate", "0", 0),
    ("log_min_error_statement", "panic", 0),
)
_APPLICATION = "trove-guestagent"
#: "PostgreSQL Error Codes": admin_shutdown, crash_shutdown, cannot_connect_now; and a class.
_AWAY = ("57P01", "57P02", "57P03")
_CONNECTION_EXCEPTION = "08"
#: How such an error begins where libpq reports it.
_NOT_NOW = "the database system is "
#: psycopg2's class for an answer that broke off, and for nothing else.
_LOST = psycopg2.DatabaseError
#: What libpq has in front of what the server said: how it tried to reach it.
_WAY = re.compile(r"^connection to server .*? failed: (?:FATAL: +)?")


@dataclass(frozen=True)
class Address:
    """How to reach one server as its superuser."""

    socket_dir: Path
    port: int
    password: str
    major: int

    def __repr__(self) -> str:  # holds a password
        return f"<Address {self.socket_dir}:{self.port}>"

    def parameters(self, database: str) -> dict[str, Any]:
        """Return the arguments for :func:`psycopg2.connect`."""
        return {
            "host": str(self.socket_dir),
            "port": self.port,
            "user": facts.ADMIN,
            "password": self.password,
            "dbname": database,
            "connect_timeout": 10,
            # Nobody listens in on a private socket, and libpq's start-up of both would cost megabytes.
            "sslmode": "disable",
            "gssencmode": "disable",
            "application_name": _APPLICATION,
            "client_encoding": "UTF8",
            "options": options(self.major),
        }


Connect = Callable[[str], Any]


@functools.cache
def options(major: int) -> str:
    """Return what a session of ours sets at a server of version ``major``, as libpq takes it: a server that does not
    know a parameter refuses the session.
    """
    known = [(name, value) for name, value, since in _SETTINGS if major >= since]
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in known)


@contextmanager
def session(address: Address, database: str = MAINTENANCE_DATABASE) -> Iterator[Any]:
    """Connect to ``database`` in autocommit mode and close the connection afterwards.

    :raises psycopg2.Error: as psycopg2 does.
    """
    connection = psycopg2.connect(**address.parameters(database))
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


def is_away(err: psycopg2.Error) -> bool:
    """Tell whether the server is not there, starts, ends or has hung up, rather than refusing.

    An error without a state is of libpq: the connection was not made or was lost. What a server says that lets nobody
    in yet, or any more, comes like that too (``ProcessStartupPacket``: "the database system is starting up").
    """
    if err.pgcode is not None:
        return err.pgcode in _AWAY or err.pgcode.startswith(_CONNECTION_EXCEPTION)
    if not isinstance(err, psycopg2.InterfaceError | psycopg2.OperationalError) and type(err) is not _LOST:
        return False
    text = str(err)
    return "FATAL:" not in text or _NOT_NOW in text


def reason(err: psycopg2.Error) -> str:
    """Return why the server (or the way to it) refused: one line, without secrets and without the statement."""
    text = (err.diag.message_primary if err.diag else None) or str(err).strip() or "it gave no reason"
    return redact.mask_text(_WAY.sub("", text.splitlines()[0]))


class ProbeTimeout(Exception):
    """The server did not answer in time."""


def probe(address: Address, seconds: float) -> None:
    """Ask ``SELECT 1``; return when the answer came.

    Asynchronous, because a stopped process or a hanging disk would hold a plain call for ever.

    :raises ProbeTimeout: after ``seconds``.
    :raises psycopg2.Error: when the server refuses.
    """
    deadline = clock.monotonic() + seconds
    connection = psycopg2.connect(**address.parameters(MAINTENANCE_DATABASE), async_=1)
    try:
        _complete(connection, deadline)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            _complete(connection, deadline)
            cursor.fetchone()
    finally:
        connection.close()


def _complete(connection: Any, deadline: float) -> None:
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        left = deadline - clock.monotonic()
        reading = [connection] if state == extensions.POLL_READ else []
        writing = [connection] if state == extensions.POLL_WRITE else []
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            raise ProbeTimeout("the server did not answer in time")
