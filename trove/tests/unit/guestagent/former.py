# SPDX-License-Identifier: Apache-2.0
"""A journal as agents of the former release make and use it: their statements, word by word."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

FORMAT = 1

#: The tables of the first revision, and the columns that came to ``command`` before there were revisions.
TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE command (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, version INTEGER NOT NULL,
    workflow_id TEXT, epoch INTEGER NOT NULL, args BLOB,
    state TEXT NOT NULL CHECK (state IN ('ACCEPTED', 'DONE', 'FAILED')),
    interruptions INTEGER NOT NULL DEFAULT 0, result BLOB, error_symbol TEXT, error_message TEXT{added});
CREATE INDEX command_unfinished ON command (number) WHERE state = 'ACCEPTED';
CREATE TABLE workflow (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL);
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, report_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL);
"""
ADDED = ", deadline INTEGER, allowance INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0"

COLUMNS = (
    "id, name, version, state, workflow_id, epoch, args, interruptions, result, error_symbol, error_message, "
    "deadline, allowance, begun"
)


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as those agents do."""
    with contextlib.closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        yield connection


def make(path: Path, instance_id: str, added: str = ADDED) -> None:
    """Make a journal.

    :param added: definitions of the columns that came later; empty for the oldest files.
    """
    path.touch(0o600)
    with connected(path) as connection:
        for statement in TABLES.format(added=added).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        settings = [("instance_id", f'"{instance_id}"'.encode()), ("boot", b"0")]
        connection.executemany("INSERT INTO setting VALUES (?, ?)", settings)


def start(connection: sqlite3.Connection) -> int:
    """Check the file and count a start, as those agents do; return the boot number.

    :raises AssertionError: when such an agent would refuse the file.
    """
    assert connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    assert found == FORMAT, f"its format is {found}, this agent knows {FORMAT}"
    settings = dict(connection.execute("SELECT name, value FROM setting").fetchall())
    assert "boot" in settings and "instance_id" in settings
    boot = int(settings["boot"]) + 1
    connection.execute("UPDATE setting SET value = ? WHERE name = 'boot'", (str(boot).encode(),))
    connection.execute(
        "UPDATE command SET interruptions = interruptions + 1 "
        "WHERE number = (SELECT min(number) FROM command WHERE state = 'ACCEPTED')"
    )
    for table, condition in (("command", "state <> 'ACCEPTED' AND"), ("workflow", "")):
        connection.execute(
            f"DELETE FROM {table} WHERE {condition} number <= (SELECT max(number) FROM {table}) - ?", (5000,)
        )
    return boot


def accept(connection: sqlite3.Connection, command_id: str, *, workflow_id: str | None = None, epoch: int = 0) -> None:
    """Accept a command."""
    connection.execute(
        f"INSERT INTO command ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (command_id, "restart", 1, "ACCEPTED", workflow_id, epoch, b"{}", 0, None, None, None, 2**41, 240_000, False),
    )
    connection.execute(
        "INSERT INTO workflow (id, epoch) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        (workflow_id or command_id, epoch),
    )
    body = f'{{"report_id":"r-{command_id}","command_id":"{command_id}","state":"ACCEPTED"}}'.encode()
    connection.execute(
        "INSERT INTO outbox (report_id, name, version, body) VALUES (?, ?, ?, ?)",
        (f"r-{command_id}", "command_result", 1, body),
    )


def finish(connection: sqlite3.Connection, command_id: str) -> None:
    """Write that a command is done."""
    connection.execute("UPDATE command SET begun = 1 WHERE id = ?", (command_id,))
    connection.execute(
        "UPDATE command SET state = ?, args = NULL, result = ?, error_symbol = ?, error_message = ? WHERE id = ?",
        ("DONE", None, None, None, command_id),
    )
    connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", ("command_ended_at", b"1"))


def state(connection: sqlite3.Connection, command_id: str) -> str | None:
    """Return the state of a command."""
    row = connection.execute(f"SELECT {COLUMNS} FROM command WHERE id = ?", (command_id,)).fetchone()
    return None if row is None else str(row[3])
