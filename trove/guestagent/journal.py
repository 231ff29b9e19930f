# SPDX-License-Identifier: Apache-2.0
"""What the agent must still know after it, or its machine, has died.

One SQLite file of mode 0600 in the agent's state directory, in WAL mode with ``synchronous=FULL``: when a method that
writes returns, power may fail. It holds a boot counter, the keys, accepted commands, the highest epoch of each
workflow, reports nobody has acknowledged yet, and a few settings.

What leads to what is written in *one* transaction: a command with its "accepted" report, a result with the reports that
tell it. So there is no moment at which the agent has promised something that it could forget.

A journal that is damaged, of a newer format or of another instance is **refused** (:class:`JournalRefused`). Starting
afresh instead would be a guess: a command would run twice, a stale order be obeyed, or a boot number be used again,
which would repeat nonces.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from trove.wire import report

#: Version of the tables below, kept in ``PRAGMA user_version``.
FORMAT = 1
#: Finished commands, and workflows with their epochs, that are remembered. A command is repeated within hours, not
#: after thousands.
KEEP_FINISHED = 5000

_TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE command (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, version INTEGER NOT NULL,
    workflow_id TEXT, epoch INTEGER NOT NULL, args BLOB,
    state TEXT NOT NULL CHECK (state IN ('ACCEPTED', 'DONE', 'FAILED')),
    interruptions INTEGER NOT NULL DEFAULT 0, result BLOB, error_symbol TEXT, error_message TEXT,
    deadline INTEGER, allowance INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0);
CREATE INDEX command_unfinished ON command (number) WHERE state = 'ACCEPTED';
CREATE TABLE workflow (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL);
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, report_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL);
"""
#: Columns of ``command`` that came later: an agent without them reads and writes the others, and one with them adds
#: them, so the format is the same.
_ADDED = {
    "deadline": "INTEGER",
    "allowance": "INTEGER NOT NULL DEFAULT 0",
    # What an agent of before has left may have been begun.
    "begun": "INTEGER NOT NULL DEFAULT 0",
}
#: Primary result codes that no waiting cures; SQLITE_ERROR is among them because a missing table is answered with it.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR})


class JournalError(Exception):
    """The journal cannot be written or read now (a full or failing disk). What was asked has not happened; try again
    later."""


class JournalRefused(JournalError):
    """The journal is damaged or not this instance's. Nothing may be done with it; only an operator can decide."""


@dataclass(frozen=True)
class CommandRecord:
    """One command as journalled. ``args`` is ``None`` once it is finished: they may hold passwords.

    :ivar interruptions: how often an agent ended while this was the command at work.
    :ivar deadline: milliseconds on the control plane's clock by which it must have begun; ``None``: it may always.
    :ivar allowance: milliseconds from the end of the command before until the deadline, if that is later.
    :ivar begun: whether an agent may have had an effect with it.
    """

    id: str
    name: str
    version: int
    state: str
    workflow_id: str | None = None
    epoch: int = 0
    args: Mapping[str, Any] | None = field(default=None, repr=False)
    interruptions: int = 0
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    error_symbol: str | None = None
    error_message: str | None = None
    deadline: int | None = None
    allowance: int = 0
    begun: bool = False


_COMMAND_COLUMNS = (
    "id, name, version, state, workflow_id, epoch, args, interruptions, result, error_symbol, error_message, "
    "deadline, allowance, begun"
)


class Journal:
    """An open journal. Every method is atomic and may be called from any thread.

    :raises JournalRefused: by every method, when the file turns out to be damaged.
    :raises JournalError: by every method, when the disk fails or is full.
    """

    def __init__(self, connection: sqlite3.Connection, boot: int) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        #: Number of this start of the agent: 1 for the first, one more for each.
        self.boot = boot

    @classmethod
    def open(cls, path: Path, instance_id: str) -> "Journal":
        """Open or make the journal and count this start.

        :raises JournalRefused: see the module.
        """
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with _mapped_errors():
            connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            try:
                if path.stat().st_size == 0:
                    _lay_out(connection, path)
                return cls(connection, _begin(connection, instance_id))
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """Close the file; further calls fail."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.close()

    # -- settings and keys ---------------------------------------------------------------------------------------------

    def setting(self, name: str) -> Any:
        """Return a small value of the agent's own, or ``None``."""
        return self._value("SELECT value FROM setting WHERE name = ?", name)

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a small JSON value."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, _pack(value)))

    def keys(self) -> Any:
        """Return the key material, or ``None``."""
        return self._value("SELECT value FROM secret WHERE name = ?", "keys")

    def set_keys(self, value: Any) -> None:
        """Replace the key material by the JSON value ``value``; the old is overwritten on disk."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO secret VALUES ('keys', ?)", (_pack(value),))

    # -- commands ------------------------------------------------------------------------------------------------------

    def find(self, command_id: str) -> CommandRecord | None:
        """Return the command ``command_id``, or ``None`` when it was never accepted here (or very long ago)."""
        return self._record("WHERE id = ?", command_id)

    def next_unfinished(self) -> CommandRecord | None:
        """Return the oldest command that was accepted and not finished."""
        return self._record("WHERE state = 'ACCEPTED' ORDER BY number LIMIT 1")

    def epoch(self, workflow_id: str) -> int:
        """Return the highest epoch seen of a workflow, 0 when none was."""
        with self._lock, _mapped_errors():
            row = self._connection.execute("SELECT epoch FROM workflow WHERE id = ?", (workflow_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def record(self, command: CommandRecord, reports: Sequence[report.Report]) -> None:
        """Add a new command together with the reports about it, and remember its epoch."""
        with self._transaction() as connection:
            connection.execute(
                f"INSERT INTO command ({_COMMAND_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    command.id,
                    command.name,
                    command.version,
                    command.state,
                    command.workflow_id,
                    command.epoch,
                    _pack_optional(command.args if command.state == "ACCEPTED" else None),
                    command.interruptions,
                    _pack_optional(command.result),
                    command.error_symbol,
                    command.error_message,
                    command.deadline,
                    command.allowance,
                    command.begun,
                ),
            )
            if command.workflow_id is not None:
                connection.execute(
                    "INSERT INTO workflow (id, epoch) VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
                    (command.workflow_id, command.epoch),
                )
            _insert_reports(connection, reports)

    def begin(self, command_id: str) -> None:
        """Write down that a command is about to have an effect."""
        with self._transaction() as connection:
            connection.execute("UPDATE command SET begun = 1 WHERE id = ?", (command_id,))

    def finish(
        self,
        outcome: report.CommandResult,
        others: Sequence[report.Report] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Write how a command ended, erase its arguments, keep ``settings`` and add the reports: first ``others``, then
        ``outcome``."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE command SET state = ?, args = NULL, result = ?, error_symbol = ?, error_message = ? "
                "WHERE id = ?",
                (
                    outcome.state,
                    _pack_optional(outcome.result),
                    outcome.error_symbol,
                    outcome.error_message,
                    outcome.command_id,
                ),
            )
            for name, value in (settings or {}).items():
                connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, _pack(value)))
            _insert_reports(connection, [*others, outcome])
        self.scrub()

    # -- reports -------------------------------------------------------------------------------------------------------

    def add_reports(self, reports: Sequence[report.Report]) -> None:
        """Keep ``reports`` until they are acknowledged. A new inventory, or list of logs, replaces an
        older one."""
        with self._transaction() as connection:
            _insert_reports(connection, reports)

    def unacknowledged(self) -> list[report.Report]:
        """Return the reports to send, in order."""
        with self._lock, _mapped_errors():
            rows = self._connection.execute("SELECT name, version, body FROM outbox ORDER BY number").fetchall()
            return [msgspec.json.decode(body, type=report.TO_CONTROL[name, version]) for name, version, body in rows]

    def forget(self, report_ids: Sequence[str]) -> None:
        """Drop acknowledged reports; unknown ids are no error."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM outbox WHERE report_id = ?", [(item,) for item in report_ids])

    def scrub(self) -> None:
        """Copy the write-ahead log into the file and empty it, so that erased passwords are not left in it."""
        with self._lock, _mapped_errors(), contextlib.suppress(sqlite3.OperationalError):
            # A reader in another process (an operator's sqlite3) may delay it; the next call catches up.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- inside --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _mapped_errors(), _immediate(self._connection) as connection:
            yield connection

    def _value(self, query: str, name: str) -> Any:
        with self._lock, _mapped_errors():
            row = self._connection.execute(query, (name,)).fetchone()
            return None if row is None else msgspec.json.decode(row[0])

    def _record(self, where: str, *values: object) -> CommandRecord | None:
        with self._lock, _mapped_errors():
            row = self._connection.execute(f"SELECT {_COMMAND_COLUMNS} FROM command {where}", values).fetchone()
            if row is None:
                return None
            found = dict(zip(_COMMAND_COLUMNS.split(", "), row, strict=True))
            unpacked = {name: _unpack_optional(found[name]) for name in ("args", "result")}
            return CommandRecord(**{**found, **unpacked, "begun": bool(found["begun"])})


def _lay_out(connection: sqlite3.Connection, path: Path) -> None:
    """Make an empty file one of the right format. It waits for the disk once, at the end: nothing is promised before,
    and a file that is cut short by a power failure here is empty or damaged, not wrong."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _begin(connection: sqlite3.Connection, instance_id: str) -> int:
    """Check the file, make the tables when it is new, and count the start; return the boot number."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA cache_size = -256")  # KiB; the default of 2 MiB would be seen in every guest's memory
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise JournalRefused(f"it is damaged: {verdict}")
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    with _immediate(connection):
        if found == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.executemany(
                "INSERT INTO setting VALUES (?, ?)", [("instance_id", _pack(instance_id)), ("boot", _pack(0))]
            )
        elif found != FORMAT:
            raise JournalRefused(f"its format is {found}, this agent knows {FORMAT}")
        _add_columns(connection)
        settings = dict(connection.execute("SELECT name, value FROM setting").fetchall())
        if "boot" not in settings or _unpack_optional(settings.get("instance_id")) != instance_id:
            raise JournalRefused("it belongs to another instance")
        boot = int(msgspec.json.decode(settings["boot"])) + 1
        connection.execute("UPDATE setting SET value = ? WHERE name = 'boot'", (_pack(boot),))
        # Only the oldest unfinished command can have been at work when the last agent ended.
        connection.execute(
            "UPDATE command SET interruptions = interruptions + 1 "
            "WHERE number = (SELECT min(number) FROM command WHERE state = 'ACCEPTED')"
        )
        for table, condition in (("command", "state <> 'ACCEPTED' AND"), ("workflow", "")):
            connection.execute(
                f"DELETE FROM {table} WHERE {condition} number <= (SELECT max(number) FROM {table}) - ?",
                (KEEP_FINISHED,),
            )
    return boot


def _add_columns(connection: sqlite3.Connection) -> None:
    present = {row[1] for row in connection.execute("PRAGMA table_info(command)").fetchall()}
    for name, kind in _ADDED.items():
        if name not in present:
            connection.execute(f"ALTER TABLE command ADD COLUMN {name} {kind}")
    if "begun" not in present:
        connection.execute("UPDATE command SET begun = 1 WHERE state = 'ACCEPTED'")


@contextlib.contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, KeyError) as err:
        raise JournalRefused(f"a row of it is damaged ({type(err).__name__})") from err
    except sqlite3.Error as err:
        if getattr(err, "sqlite_errorcode", sqlite3.SQLITE_IOERR) & 0xFF in _DAMAGE:
            raise JournalRefused(f"it is damaged or not a journal: {err}") from err
        raise JournalError(str(err)) from err


def _insert_reports(connection: sqlite3.Connection, reports: Sequence[report.Report]) -> None:
    for item in reports:
        if isinstance(item, report.Inventory | report.Logs):
            connection.execute("DELETE FROM outbox WHERE name = ?", (item.name,))
        connection.execute(
            "INSERT INTO outbox (report_id, name, version, body) VALUES (?, ?, ?, ?)",
            (item.report_id, item.name, item.version, msgspec.json.encode(item)),
        )


def _pack(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _pack_optional(value: Any) -> bytes | None:
    return None if value is None else msgspec.json.encode(value)


def _unpack_optional(value: bytes | None) -> Any:
    return None if value is None else msgspec.json.decode(value)
