# SPDX-License-Identifier: Apache-2.0
"""Transactions.

A :class:`Database` is made once per process and handed to whoever needs it; there is no module-level engine.
``writer()`` and ``reader()`` each open exactly one transaction; code inside passes the session on and never opens a
second one. On SQLite a writer begins with ``BEGIN IMMEDIATE``, because a transaction that reads first and writes
later would otherwise fail with ``database is locked`` instead of waiting its turn. MySQL is set to READ COMMITTED,
PostgreSQL's default: with its own default a transaction would decide on an old snapshot and write to the present, and
lock gaps between rows.

A transaction may fail because of another one (a deadlock, a lost connection). Nothing here repeats it by itself; a
caller whose whole transaction is safe to repeat says so with :func:`retry_on_conflict`.

>>> db = Database("sqlite:////tmp/example.sqlite")                                          # doctest: +SKIP
>>> with db.writer() as session:                                                            # doctest: +SKIP
...     session.execute(sqlalchemy.text("select 1"))
"""

import contextlib
import datetime
import functools
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar, cast

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslo_db.sqlalchemy import engines, exc_filters
from sqlalchemy import event, orm, pool

from trove.common import clock
from trove.common.backoff import AROUND, Backoff
from trove.db import types

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

#: Options of ``[database]`` that an engine is made with.
_ENGINE_OPTIONS = (
    "connection_recycle_time",
    "max_pool_size",
    "max_overflow",
    "pool_timeout",
    "max_retries",
    "retry_interval",
    "connection_debug",
    "connection_trace",
    "connection_parameters",
)

#: What repeating a whole transaction may cure.
CONFLICTS = (db_exception.DBDeadlock, db_exception.DBConnectionError)
_ATTEMPTS = 5
#: Four pauses at most; the transactions that collided would otherwise collide again.
_REPETITIONS = Backoff(first=0.05, cap=0.4, jitter=AROUND)
_SQLITE_SECONDS = 30.0
_SQLITE_OVERFLOW = 50

#: In ``Session.info``: whose session it is, and the last answer of :meth:`Database.now` in it.
_DATABASE = "database"
_LAST_NOW = "now"


class Database:
    """One database and its connection pools.

    :param connection: an SQLAlchemy URL; SQLite, MySQL/MariaDB (``mysql+pymysql``) and PostgreSQL
        (``postgresql+psycopg2``) are supported.
    :param durable: whether a commit is to survive a loss of power, on SQLite; other than true only for tests.
    :param options: further engine options as oslo.db names them (``max_pool_size``, ``max_overflow``, …).
    """

    def __init__(self, connection: str, *, durable: bool = True, **options: Any) -> None:
        self.url = sa.make_url(connection)
        self._durable = durable
        self.dialect = self.url.get_backend_name()
        if self.dialect == "mysql" and "charset" not in self.url.query:
            # oslo.db would choose "utf8", which is MySQL's three-byte one and has no room for an emoji.
            self.url = self.url.update_query_dict({"charset": "utf8mb4"})
        self.engine: sa.Engine = self._create_engine("IMMEDIATE", options)
        # On SQLite readers have an engine of their own, whose transactions do not take the write lock.
        self._reader_engine = self.engine
        if self.dialect == "sqlite":
            self._reader_engine = self._create_engine("DEFERRED", options)
        self._turn: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if self.dialect == "sqlite":
            self._turn = _WritersTurn()
        info = {_DATABASE: self}
        self._writer = orm.sessionmaker(self.engine, expire_on_commit=False, info=info)
        self._reader = orm.sessionmaker(self._reader_engine, expire_on_commit=False, info=info)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Database":
        """Return the database that ``[database]`` describes.

        :raises ValueError: when ``[database] connection`` is not set.
        """
        group = conf.database
        if not group.connection:
            raise ValueError("[database] connection is not set; give it an SQLAlchemy URL")
        options = {name: getattr(group, name) for name in _ENGINE_OPTIONS}
        return cls(group.connection, **{name: value for name, value in options.items() if value is not None})

    def _create_engine(self, mode: str, options: dict[str, Any]) -> sa.Engine:
        if self.dialect == "sqlite":
            return _sqlite_engine(self.url, mode, self._durable, options)
        engine: sa.Engine = engines.create_engine(self.url, mysql_sql_mode="TRADITIONAL", **options)
        if self.dialect == "mysql":
            event.listen(engine, "connect", _mysql_connect)
            engine.dispose()  # oslo.db tests the connection while it makes the engine, before the listener is in place
        return engine

    @contextlib.contextmanager
    def writer(self) -> Iterator[orm.Session]:
        """Open one read-write transaction; it commits on exit and rolls back on an exception."""
        with self._turn, self._writer.begin() as session:
            yield session

    @contextlib.contextmanager
    def reader(self) -> Iterator[orm.Session]:
        """Open one read-only transaction; whatever is done in it is rolled back."""
        with self._reader() as session:
            yield session

    def now(self, session: orm.Session) -> datetime.datetime:
        """Return the database's clock, UTC, naive: the one clock that all processes share."""
        statement = f"SELECT {types.NOW[self.dialect]}"
        if self.dialect == "sqlite":  # asked in every transaction: past SQLAlchemy, which would take ten times as long
            ((text,),) = _raw(session.connection()).execute(statement)
            moment = datetime.datetime.fromisoformat(text)
        else:
            moment = session.execute(sa.text(statement)).scalar_one()
        session.info[_LAST_NOW] = moment
        return moment

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._reader_engine.dispose()


def now(session: orm.Session) -> datetime.datetime:
    """Return the database's time as this transaction asked for it last, UTC, naive; it is asked for once at least.

    For the moments that a transaction stores of what it does (``created_at``, ``updated_at``): one statement for all of
    them. Who waited in between and decides by the time that it is then takes :meth:`Database.now`.
    """
    last: datetime.datetime | None = session.info.get(_LAST_NOW)
    if last is None:
        database: Database = session.info[_DATABASE]
        last = session.info[_LAST_NOW] = database.now(session)
    return last


@contextlib.contextmanager
def savepoint(session: orm.Session) -> Iterator[None]:
    """Open a savepoint, to which an exception goes back.

    MySQL breaks a deadlock by rolling back the whole transaction, savepoints included, so that going back to one fails
    as well. What is raised then is still the deadlock, which says that the transaction can be repeated.
    """
    deadlock: db_exception.DBDeadlock | None = None
    try:
        with session.begin_nested():
            try:
                yield
            except db_exception.DBDeadlock as err:
                deadlock = err
                raise
    except db_exception.DBError:
        if deadlock is not None:
            raise deadlock from None
        raise


def retry_on_conflict(function: Callable[P, R]) -> Callable[P, R]:
    """Return ``function`` repeated, with a growing and jittered pause, while it fails by a conflict with another
    transaction.

    ``function`` opens the transaction itself and must be safe to repeat as a whole: when the connection is lost
    during a commit, nobody knows whether it was committed. The fifth failure is raised.

    >>> @retry_on_conflict
    ... def rename() -> None:
    ...     with db.writer() as session: ...                                                   # doctest: +SKIP
    """

    @functools.wraps(function)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, _ATTEMPTS):
            try:
                return function(*args, **kwargs)
            except CONFLICTS as err:
                LOG.warning(
                    "Transaction %s failed on attempt %d by %s; repeating it",
                    getattr(function, "__qualname__", "?"),
                    attempt,
                    type(err).__name__,
                )
                clock.sleep(_REPETITIONS.delay(attempt))
        return function(*args, **kwargs)

    return repeated


def _mysql_connect(connection: Any, record: pool.ConnectionPoolEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


class _WritersTurn(contextlib.AbstractContextManager[None]):
    """Lets the writers of one process take turns, on SQLite.

    Not needed for correctness: SQLite has a write lock. But whoever waits for that one polls it with growing pauses,
    and among eight threads the unlucky one waited half a second. So after its time is up a writer simply goes on and
    leaves the rest to SQLite.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mine = threading.local()

    def __enter__(self) -> None:
        if getattr(self._mine, "open", False):
            raise RuntimeError(
                "this thread has a writer open already, which would wait for itself; pass its session on"
            )
        self._mine.got = self._lock.acquire(timeout=_SQLITE_SECONDS)
        self._mine.open = True

    def __exit__(self, *exc_info: object) -> None:
        self._mine.open = False
        if self._mine.got:
            self._lock.release()


def _sqlite_engine(url: sa.URL, mode: str, durable: bool, options: dict[str, Any]) -> sa.Engine:
    # Not oslo.db's: that one opens the file anew for each transaction, and the last connection to close it empties
    # the journal, which costs more than the transaction. Its translation of errors is the same here.
    names = {"max_pool_size": "pool_size", "max_overflow": "max_overflow", "pool_timeout": "pool_timeout"}
    sizes = {"max_overflow": _SQLITE_OVERFLOW, **{names[n]: value for n, value in options.items() if n in names}}
    engine = sa.create_engine(url, poolclass=pool.QueuePool, connect_args={"check_same_thread": False}, **sizes)
    exc_filters.register_engine(engine)
    event.listen(engine, "connect", functools.partial(_sqlite_connect, durable))
    event.listen(engine, "begin", functools.partial(_sqlite_begin, mode))
    return engine


def _sqlite_connect(durable: bool, connection: sqlite3.Connection, record: pool.ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself, see _sqlite_begin
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_SECONDS * 1000:.0f}")
    _sqlite_use_wal(cursor)
    # FULL: when a commit returns, power may fail. With NORMAL the last transactions may be lost then, and more depends
    # on them than a client that was told "accepted": a guest has been given a one-time key that nobody knows any more,
    # or has forgotten a report that was acknowledged. It costs one wait for the disk per transaction.
    for pragma in (f"synchronous={'FULL' if durable else 'OFF'}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_use_wal(cursor: sqlite3.Cursor) -> None:
    # The very first change to WAL needs the file alone, and SQLite does not apply its busy time-out to that.
    give_up = clock.monotonic() + _SQLITE_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if clock.monotonic() > give_up:
                raise
            clock.sleep(0.01)
        else:
            return


def _sqlite_begin(mode: str, connection: sa.Connection) -> None:
    try:
        _raw(connection).execute(f"BEGIN {mode}")  # past SQLAlchemy, as in Database.now()
    except sqlite3.Error:
        connection.exec_driver_sql(f"BEGIN {mode}")  # which knows what to make of the error, if there still is one


def _raw(connection: sa.Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
