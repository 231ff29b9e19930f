# SPDX-License-Identifier: Apache-2.0
"""Connections of Trove's superuser over the private socket, and a probe that never hangs.

A tenant owns what is inside a database and may set things for it, so a superuser's session must not trust the database
it enters: the options sent with the connection override ``ALTER DATABASE … SET`` and leave only the system's schema on
the search path (the class of attack in PostgreSQL's CVE-2018-1058).
"""

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
_OPTIONS = (
    "-c search_path=pg_catalog,pg_temp -c local_preload_libraries= -c role=none -c row_security=off "
    "-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed -c synchronous_commit=on "
    "-c statement_timeout=120000 -c lock_timeout=30000 -c standard_conforming_strings=on -c client_min_messages=error "
    # What an owner has logged of all statements is nothing of ours: some hold the verifier of a password.
    "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_duration_sample=-1 -c log_duration=off "
    "-c log_transaction_sample_rate=0 -c log_min_error_statement=panic"
)
_APPLICATION = "trove-guestagent"


@dataclass(frozen=True)
class Address:
    """How to reach one server as its superuser."""

    socket_dir: Path
    port: int
    password: str

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
            "options": _OPTIONS,
        }


Connect = Callable[[str], Any]


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


def reason(err: psycopg2.Error) -> str:
    """Return why the server (or the way to it) refused: one line, without secrets and without the statement."""
    text = (err.diag.message_primary if err.diag else None) or str(err).strip() or "it gave no reason"
    return redact.mask_text(text.splitlines()[0])


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
