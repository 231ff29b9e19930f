# SPDX-License-Identifier: Apache-2.0
"""Connections of Trove's administrator over the private socket, statements with quoted names and values, and a probe.

What an owner configures for all sessions, an administrator's does not believe: it sets each variable that could end it,
or keep it from its work (:data:`SETTINGS` and those of the dialect). Its account has rights with which the engines let
it in beyond ``max_connections`` and spare it ``init_connect``, and in MySQL a ``MAX_USER_CONNECTIONS`` of its own.

A name is quoted by doubling backquotes and a value by the driver, which escapes with backslashes; so a session sets its
own ``sql_mode``, without the two modes in which either would mean something else (``ANSI_QUOTES``,
``NO_BACKSLASH_ESCAPES``).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
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
_UNLIMITED = "18446744073709551615"
#: {variable: value} for both sisters; a dialect adds its own.
SETTINGS = {
    "lock_wait_timeout": "30",
    "innodb_lock_wait_timeout": "30",
    # Nothing else ends a session or a statement, and the driver's COMMIT does not.
    "wait_timeout": "28800",
    "net_read_timeout": "30",
    "net_write_timeout": "60",
    "completion_type": "NO_CHAIN",
    # No limits of rows, and memory enough for what the service asks.
    "sql_select_limit": _UNLIMITED,
    "sql_big_selects": "ON",
    "sql_safe_updates": "OFF",
    "sort_buffer_size": "262144",
    "join_buffer_size": "262144",
    "tmp_table_size": "16777216",
    "max_heap_table_size": "16777216",
    "max_sort_length": "1024",
    "group_concat_max_len": "1048576",
    # What it does is in no log of the owner's: some statements hold the verifier of a password. (What examines few rows
    # is in no slow log.)
    "sql_log_off": "ON",
    "long_query_time": "31536000",
    "min_examined_row_limit": "4294967295",
}
#: Seconds for which a command waits for a free connection when tenants use them all.
_CONNECTION_WAIT = 10.0
#: How the driver quotes a failed system call.
_SYSTEM_ERROR = re.compile(r"\(\[Errno -?[0-9]+\] ([^()]*+)\)")
#: Seconds that ended sessions get to be gone.
_END_SESSIONS = 10.0
#: Errors of the client library: the server is unreachable or gone (``CR_*`` of errmsg.h).
_CLIENT_ERRORS = range(2000, 3000)
#: What a server says that is about to end, or has ended our session for it: ``ER_CONNECTION_KILLED`` of MariaDB and
#: ``ER_SESSION_WAS_KILLED`` of MySQL are not in the driver's list.
_ENDING = (ER.SERVER_SHUTDOWN, 1927, 3169)


@dataclass(frozen=True)
class Address:
    """How to reach one server as its administrator.

    :ivar settings: variables of the session beside :data:`SETTINGS`.
    """

    socket: Path
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)

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
            init_command=init_command(self.settings),
            connect_timeout=max(1, int(timeout)),
            read_timeout=read_timeout,
            write_timeout=read_timeout,
            # Nobody listens in on a private socket.
            ssl_disabled=True,
            local_infile=False,
            defer_connect=False,
        )


def init_command(settings: Mapping[str, str]) -> str:
    """Return the first statement of a session, one for all variables: each takes a round trip."""
    return "SET " + ", ".join(f"SESSION {name} = {value}" for name, value in {**SETTINGS, **settings}.items())


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


def is_away(err: pymysql.Error) -> bool:
    """Tell whether the server is not there, ends or has hung up, rather than refusing."""
    return code(err) in _CLIENT_ERRORS or code(err) in _ENDING or isinstance(err, pymysql.InterfaceError)


def reason(err: pymysql.Error) -> str:
    """Return why the server (or the way to it) refused: one line, without secrets."""
    text = str(err.args[1] if len(err.args) > 1 else err).strip() or "it gave no reason"
    return redact.mask_text(_SYSTEM_ERROR.sub(r"(\1)", text.splitlines()[0]))


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
