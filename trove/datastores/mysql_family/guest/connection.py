# SPDX-License-Identifier: Apache-2.0
"""Connections of Trove's administrator over the private socket, statements with quoted names and values, and a probe.

A name is quoted by doubling backquotes and a value by the driver, which escapes with backslashes; so a session sets its
own ``sql_mode``, without the two modes in which either would mean something else (``ANSI_QUOTES``,
``NO_BACKSLASH_ESCAPES``).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import ER

from trove.common import clock, redact
from trove.datastores import spi
from trove.datastores.mysql_family import facts

#: Name of the socket in its directory.
SOCKET = "mysqld.sock"
_SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
#: Whatever an owner configures for sessions, Trove's own have no limits of rows, and what they do is in no log of the
#: owner's: some statements hold the verifier of a password. (What examines few rows is in no slow log.)
_INIT = (
    "SET SESSION lock_wait_timeout = 30, SESSION innodb_lock_wait_timeout = 30, SESSION sql_log_off = ON, "
    "SESSION long_query_time = 31536000, SESSION min_examined_row_limit = 4294967295, "
    "SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = ON, SESSION sql_safe_updates = OFF"
)
#: Seconds for which a command waits for a free connection when tenants use them all.
_CONNECTION_WAIT = 10.0
#: Seconds that ended sessions get to be gone.
_END_SESSIONS = 10.0
#: Errors of the client library: the server is unreachable or gone (``CR_*`` of errmsg.h).
_CLIENT_ERRORS = range(2000, 3000)


@dataclass(frozen=True)
class Address:
    """How to reach one server as its administrator."""

    socket: Path
    password: str

    def __repr__(self) -> str:  # holds a password
        return f"<Address {self.socket}>"

    def connect(self, *, timeout: float, read_timeout: float) -> Any:
        """Open a connection in autocommit mode.

        :raises pymysql.Error: as the driver does.
        """
        return pymysql.connect(
            unix_socket=str(self.socket),
            user=facts.ADMIN,
            password=self.password.encode(),
            charset="utf8mb4",
            autocommit=True,
            sql_mode=_SQL_MODE,
            init_command=_INIT,
            connect_timeout=max(1, int(timeout)),
            read_timeout=read_timeout,
            write_timeout=read_timeout,
            # Nobody listens in on a private socket.
            ssl_disabled=True,
            local_infile=False,
            defer_connect=False,
        )


#: Opens an administrator's session; see :func:`session`.
Session = Callable[[], AbstractContextManager[Any]]


@contextmanager
def session(address: Address) -> Iterator[Any]:
    """Connect, and close the connection afterwards.

    :raises pymysql.Error: as the driver does.
    """
    connection = _connect(address)
    try:
        yield connection
    finally:
        with suppress(pymysql.Error):
            connection.close()


def _connect(address: Address) -> Any:
    deadline = clock.monotonic() + _CONNECTION_WAIT
    while True:
        try:
            return address.connect(timeout=10, read_timeout=120)
        except pymysql.OperationalError as err:
            # One connection is kept for administrators, and the probe may be using it.
            if code(err) != ER.CON_COUNT_ERROR or clock.monotonic() > deadline:
                raise
        clock.sleep(0.1)


def quoted(name: str) -> str:
    """Return a name as it stands in a statement."""
    return "`" + name.replace("`", "``") + "`"


def execute(connection: Any, statement: str, *names: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Run one statement with ``{}`` for quoted names and ``%s`` for quoted values; return its rows, if it has any.

    The driver looks for ``%`` in the whole statement as soon as there are values, also inside quoted names: there it
    must be doubled, or a database called ``%s`` takes a value's place.
    """
    made = [quoted(name) for name in names]
    if values:
        made = [name.replace("%", "%%") for name in made]
    with connection.cursor() as cursor:
        cursor.execute(statement.format(*made), values or None)
        return list(cursor.fetchall()) if cursor.description else []


def code(err: pymysql.Error) -> int:
    """Return the number of an error, 0 when it has none."""
    return err.args[0] if err.args and isinstance(err.args[0], int) else 0


def is_unreachable(err: pymysql.Error) -> bool:
    """Tell whether the server was not there, rather than refusing."""
    return code(err) in _CLIENT_ERRORS or isinstance(err, pymysql.InterfaceError)


def reason(err: pymysql.Error) -> str:
    """Return why the server (or the way to it) refused: one line, without secrets."""
    text = str(err.args[1] if len(err.args) > 1 else err).strip() or "it gave no reason"
    return redact.mask_text(text.splitlines()[0])


class ProbeTimeout(Exception):
    """The server did not answer in time."""


def probe(address: Address, seconds: float) -> None:
    """Ask ``SELECT 1``; return when the answer came. A server without a free connection answers, too.

    :raises ProbeTimeout: after about ``seconds``.
    :raises pymysql.Error: when the server refuses.
    """
    # A server that hangs does so at its greeting or not at all, so two waits of half the time are the bound.
    half = max(1, int(seconds / 2))
    try:
        connection = address.connect(timeout=half, read_timeout=half)
        try:
            execute(connection, "SELECT 1")
        finally:
            with suppress(pymysql.Error):
                connection.close()
    except pymysql.OperationalError as err:
        if code(err) == ER.CON_COUNT_ERROR:
            return
        if "timed out" in str(err):
            raise ProbeTimeout("the server did not answer in time") from err
        raise


def end_sessions(connection: Any, user: str | None = None, database: str | None = None) -> None:
    """End the sessions of ``user``, or those in ``database``, and wait until they are gone, so that nothing is done
    behind our back.

    A privilege that is taken away is not missed by a session before its next ``USE``. Which of several accounts of one
    name a session belongs to cannot be told, so all of that name are ended; clients connect again.

    :raises EngineError: ``engine.busy``.
    """
    deadline = clock.monotonic() + _END_SESSIONS
    while found := _sessions(connection, user, database):
        if clock.monotonic() > deadline:
            raise spi.EngineError("engine.busy", "A connection could not be ended; try again.")
        for number in found:
            try:
                execute(connection, "KILL CONNECTION %s", values=(number,))
            except pymysql.Error as err:
                if code(err) != ER.NO_SUCH_THREAD:
                    raise
        clock.sleep(0.01)


def _sessions(connection: Any, user: str | None, database: str | None) -> list[int]:
    own = connection.thread_id()
    return [
        row[0]
        for row in execute(connection, "SHOW FULL PROCESSLIST")
        if row[0] != own and (user is None or row[1] == user) and (database is None or row[3] == database)
    ]
