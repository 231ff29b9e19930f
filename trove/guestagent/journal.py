# SPDX-License-Identifier: Apache-2.0
"""What the agent must still know after it, or its machine, has died.

One SQLite file of mode 0600 in the agent's state directory, in WAL mode with ``synchronous=FULL``: when a method that
writes returns, power may fail. It holds a boot counter, the keys, accepted commands, the highest epoch of each
workflow, the highest term of each set, reports nobody has acknowledged yet, and a few settings. Commands that ended
long ago are forgotten, some at a time, and so are the epochs of workflows; terms never are.

What leads to what is written in *one* transaction: a command with its "accepted" report, a result with the reports that
tell it. So there is no moment at which the agent has promised something that it could forget.

A journal that is damaged, of another format (:mod:`trove.guestagent.journal_schema`) or of another instance is
**refused** (:class:`JournalRefused`). Starting afresh instead would be a guess: a command would run twice, a stale
order be obeyed, or a boot number be used again, which would repeat nonces.
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

from trove.guestagent import journal_schema
from trove.wire import report

#: Finished commands, and workflows with their epochs, that are remembered. A command is repeated within hours, not
#: after thousands.
KEEP_FINISHED = 5000
#: So many commands are recorded between two looks for what need not be remembered any more, and no more than twice as
#: many rows of a table are removed then: cheap, and faster than they come.
PRUNE_EVERY = 100
#: Primary result codes that no waiting cures; SQLITE_ERROR is among them because a missing table is answered with it.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR})


class JournalError(Exception):
    """The journal cannot be written or read now (a full or failing disk). What was asked has not happened; try again
    later."""


class JournalRefused(JournalError):
    """The journal is damaged or not this instance's. Nothing may be done with it; only an operator can decide.

    :cvar remedy: one sentence for the operator.
    """

    remedy = "Restore it, or delete the instance."


class JournalOfAnother(JournalRefused):
    """The journal was written by an agent of another release, and only such a one can use it."""

    remedy = "Install the agent that wrote it, or one of a release in between that can use both formats."


@dataclass(frozen=True)
class CommandRecord:
    """One command as journalled. ``args`` is ``None`` once it is finished: they may hold passwords.

    :ivar interruptions: how often an agent ended while this was the command at work.
    :ivar deadline: milliseconds on the control plane's clock by which it must have begun; ``None``: it may always.
    :ivar allowance: milliseconds from the end of the command before until the deadline, if that is later.
    :ivar begun: whether an agent may have had an effect with it.
    :ivar set_id: the set on whose roles it depends; ``None``: on none.
    :ivar term: the term of that set when it was asked for.
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
    set_id: str | None = None
    term: int = 0


_COMMAND_COLUMNS = (
    "id, name, version, state, workflow_id, epoch, args, interruptions, result, error_symbol, error_message, "
    "deadline, allowance, begun, set_id, term"
)


_PLACES = ", ".join("?" * len(_COMMAND_COLUMNS.split(", ")))


class Journal:
    """An open journal. Every method is atomic and may be called from any thread.

    :raises JournalRefused: by every method, when the file turns out to be damaged.
    :raises JournalError: by every method, when the disk fails or is full.
    """

    def __init__(self, connection: sqlite3.Connection, boot: int) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._recorded = 0
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
        """Return a small value that :meth:`finish` was given, or ``None``."""
        return self._value("SELECT value FROM setting WHERE name = ?", name)

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
        return self._number("SELECT epoch FROM workflow WHERE id = ?", workflow_id)

    def term(self, set_id: str) -> int:
        """Return the highest term seen of a set, 0 when none was."""
        return self._number("SELECT term FROM term WHERE set_id = ?", set_id)

    def record(self, command: CommandRecord, reports: Sequence[report.Report]) -> None:
        """Add a new command together with the reports about it, and remember its epoch and term."""
        with self._transaction() as connection:
            connection.execute(
                f"INSERT INTO command ({_COMMAND_COLUMNS}) VALUES ({_PLACES})",
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
                    command.set_id,
                    command.term,
                ),
            )
            if command.workflow_id is not None:
                # A new row, so that those heard of lately are remembered.
                connection.execute(
                    "INSERT OR REPLACE INTO workflow (id, epoch) "
                    "VALUES (?1, max(?2, coalesce((SELECT epoch FROM workflow WHERE id = ?1), 0)))",
                    (command.workflow_id, command.epoch),
                )
            if command.set_id is not None:
                connection.execute(
                    "INSERT INTO term (set_id, term) VALUES (?, ?) "
                    "ON CONFLICT (set_id) DO UPDATE SET term = max(term, excluded.term)",
                    (command.set_id, command.term),
                )
            _insert_reports(connection, reports)
            self._recorded += 1
            if self._recorded % PRUNE_EVERY == 0:
                _prune(connection, 2 * PRUNE_EVERY)

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
        """Return the reports to send, in order. Those that only a newer agent knows are left for one."""
        with self._lock, _mapped_errors():
            rows = self._connection.execute("SELECT name, version, body FROM outbox ORDER BY number").fetchall()
            return [
                msgspec.json.decode(body, type=report.TO_CONTROL[name, version])
                for name, version, body in rows
                if (name, version) in report.TO_CONTROL
            ]

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

    def _number(self, query: str, key: str) -> int:
        with self._lock, _mapped_errors():
            row = self._connection.execute(query, (key,)).fetchone()
        return 0 if row is None else int(row[0])

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
    with _immediate(connection):
        journal_schema.bring_up(connection, {"instance_id": _pack(instance_id), "boot": _pack(0)})
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
        _prune(connection, -1)
    return boot


def _prune(connection: sqlite3.Connection, limit: int) -> None:
    """Forget what is older than the last :data:`KEEP_FINISHED` commands and workflows; up to ``limit`` rows of each,
    all when it is negative."""
    for table, condition in (("command", "state <> 'ACCEPTED' AND"), ("workflow", "")):
        connection.execute(
            f"DELETE FROM {table} WHERE number IN (SELECT number FROM {table} "
            f"WHERE {condition} number <= (SELECT max(number) FROM {table}) - ? ORDER BY number LIMIT ?)",
            (KEEP_FINISHED, limit),
        )


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
    except journal_schema.UnknownFormat as err:
        raise JournalOfAnother(f"its format is {err.found}, this agent knows {journal_schema.FORMAT}") from err
    except (msgspec.DecodeError, KeyError, ValueError) as err:
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
