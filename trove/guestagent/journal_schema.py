# SPDX-License-Identifier: Apache-2.0
"""The tables of the journal, and how a file of one release becomes one of another.

An agent is replaced by a newer one, and sometimes by the older one again, over the same file. So there are two numbers:

* The *format* (``PRAGMA user_version``) says who can use the file at all. Agents of another format refuse it.
* The *revision* (setting ``revision``) counts additions within a format: tables, and columns with a default. A newer
  agent makes those that are missing, in one transaction. An older one finds more than it knows, uses what it knows, and
  leaves the rest and the number alone.

Hence a revision only adds, and no statement in :mod:`trove.guestagent.journal` relies on the number of columns of a
table that may get more (``setting`` and ``secret`` never do: the first release inserts into them by position). What
cannot be had by adding needs a new format, and before it a release that reads both.
"""

import sqlite3

#: What every agent of this release can use.
FORMAT = 1
#: The setting with the revision; files of the first releases have none.
REVISION = "revision"

_FIRST = """
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
#: Columns of ``command`` that some files of the first revision lack: they are older than revisions are.
_ADDED_TO_FIRST = {
    "deadline": "INTEGER",
    "allowance": "INTEGER NOT NULL DEFAULT 0",
    # What an agent of before has left may have been begun.
    "begun": "INTEGER NOT NULL DEFAULT 0",
}
_TERMS = """
ALTER TABLE command ADD COLUMN set_id TEXT;
ALTER TABLE command ADD COLUMN term INTEGER NOT NULL DEFAULT 0;
CREATE TABLE term (set_id TEXT PRIMARY KEY, term INTEGER NOT NULL) WITHOUT ROWID;
"""
#: Statements of each revision. Append, never change.
REVISIONS = (_FIRST, _TERMS)


class UnknownFormat(Exception):
    """The file is of another format.

    :ivar found: which.
    """

    def __init__(self, found: int) -> None:
        super().__init__(f"format {found}")
        self.found = found


def bring_up(connection: sqlite3.Connection, first_settings: dict[str, bytes]) -> None:
    """Make an empty file a journal, or one of an earlier revision one of this; the caller has begun a transaction.

    :param first_settings: of a new file.
    :raises UnknownFormat: when only another agent can use the file; nothing was changed.
    :raises sqlite3.Error: for what is no journal.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _run(connection, REVISIONS[0])
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.executemany("INSERT INTO setting VALUES (?, ?)", first_settings.items())
        revision = 1
    elif found != FORMAT:
        raise UnknownFormat(found)
    else:
        revision = _revision(connection)
    for number, statements in enumerate(REVISIONS[revision:], start=revision + 1):
        _run(connection, statements)
        connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (REVISION, str(number).encode()))


def _revision(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (REVISION,)).fetchone()
    if row is not None:
        return int(row[0])
    present = {item[1] for item in connection.execute("PRAGMA table_info(command)").fetchall()}
    for name, kind in _ADDED_TO_FIRST.items():
        if name not in present:
            connection.execute(f"ALTER TABLE command ADD COLUMN {name} {kind}")
    if "begun" not in present:
        connection.execute("UPDATE command SET begun = 1 WHERE state = 'ACCEPTED'")
    return 1


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        connection.execute(statement)
