# SPDX-License-Identifier: Apache-2.0
"""Files go from release to release and back."""

import sqlite3

from trove.guestagent import journal_schema
from trove.guestagent.journal import CommandRecord, Journal, JournalOfAnother, JournalRefused
from trove.tests.base import UnitTestCase
from trove.tests.unit.guestagent import former
from trove.tests.unit.guestagent.fakes import INSTANCE
from trove.wire import report


def in_term(command_id: str, term: int) -> CommandRecord:
    return CommandRecord(
        id=command_id, name="restart", version=1, state="ACCEPTED", args={}, workflow_id="w", epoch=2,
        deadline=2**41, set_id="s", term=term,
    )  # fmt: skip


class SchemaCase(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "journal.sqlite"

    def open(self) -> Journal:
        journal = Journal.open(self.path, INSTANCE)
        self.addCleanup(journal.close)
        return journal

    def schema(self) -> dict[str, list[tuple[object, ...]]]:
        """Return the columns of every table."""
        with former.connected(self.path) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in sorted(names)}

    def statement(self, text: str) -> None:
        with former.connected(self.path) as connection:
            connection.execute(text)


class ForwardTest(SchemaCase):
    def test_a_file_of_the_former_release(self) -> None:
        former.make(self.path, INSTANCE)
        with former.connected(self.path) as connection:
            self.assertEqual(1, former.start(connection))
            former.accept(connection, "a", workflow_id="w", epoch=7)
            former.accept(connection, "b")
            former.finish(connection, "a")
        journal = self.open()
        self.assertEqual((2, 7, 0), (journal.boot, journal.epoch("w"), journal.term("s")))
        done, waits = journal.find("a"), journal.next_unfinished()
        assert done is not None and waits is not None
        self.assertEqual(("DONE", True), (done.state, done.begun))
        self.assertEqual(("b", False, 2**41), (waits.id, waits.begun, waits.deadline))
        self.assertEqual((None, 0), (waits.set_id, waits.term))
        self.assertEqual(
            [("a", "ACCEPTED"), ("b", "ACCEPTED")],
            [(item.command_id, item.state) for item in journal.unacknowledged()
             if isinstance(item, report.CommandResult)],
        )  # fmt: skip
        journal.record(in_term("c", 5), [])
        self.assertEqual(5, journal.term("s"))

    def test_a_file_from_before_deadlines(self) -> None:
        """It may have begun what it left, and said of nothing until when."""
        former.make(self.path, INSTANCE, added="")
        self.statement(
            "INSERT INTO command (id, name, version, epoch, args, state) "
            "VALUES ('a', 'restart', 1, 0, '{}', 'ACCEPTED')"
        )
        record = self.open().next_unfinished()
        assert record is not None
        self.assertEqual((None, 0, True, 0), (record.deadline, record.allowance, record.begun, record.term))

    def test_every_way_ends_in_the_same_tables(self) -> None:
        self.open().close()
        expected = self.schema()
        for added in ("", former.ADDED):
            self.path = self.tempdir() / "journal.sqlite"
            former.make(self.path, INSTANCE, added)
            for _ in range(2):  # a second start changes nothing
                self.open().close()
                self.assertEqual(expected, self.schema())

    def test_a_start_that_is_cut_short_leaves_the_file_as_it_was(self) -> None:
        former.make(self.path, INSTANCE)
        before = self.schema()
        with former.connected(self.path) as connection:
            connection.execute("CREATE TABLE term (nobody TEXT)")  # the last statement of the revision fails
        self.assertRaises(JournalRefused, self.open)
        self.statement("DROP TABLE term")
        self.assertEqual(before, self.schema())
        self.assertEqual(1, self.open().boot)


class BackTest(SchemaCase):
    def test_the_former_release_uses_the_file_and_gives_it_back(self) -> None:
        journal = self.open()
        journal.set_keys({"master": "aa"})
        journal.record(in_term("a", 5), [])
        journal.close()
        with former.connected(self.path) as connection:
            self.assertEqual(2, former.start(connection))
            self.assertEqual("ACCEPTED", former.state(connection, "a"))
            former.finish(connection, "a")
            former.accept(connection, "b", workflow_id="w", epoch=9)
        journal = self.open()
        self.assertEqual((3, 9, 5), (journal.boot, journal.epoch("w"), journal.term("s")))
        self.assertEqual({"master": "aa"}, journal.keys())
        waits = journal.next_unfinished()
        assert waits is not None
        self.assertEqual(("b", None), (waits.id, waits.set_id))

    def test_a_later_release_adds_and_this_one_goes_on(self) -> None:
        self.open().close()
        self.statement("ALTER TABLE command ADD COLUMN of_the_future TEXT")
        self.statement("CREATE TABLE of_the_future (x)")
        later = str(len(journal_schema.REVISIONS) + 1)
        self.statement(f"UPDATE setting SET value = CAST('{later}' AS BLOB) WHERE name = 'revision'")
        self.statement("INSERT INTO outbox (report_id, name, version, body) VALUES ('x', 'of_the_future', 3, '{}')")
        journal = self.open()
        journal.record(in_term("a", 1), [])
        self.assertEqual([], journal.unacknowledged())
        journal.close()
        with former.connected(self.path) as connection:
            kept = connection.execute("SELECT name FROM outbox").fetchall()
            revision = connection.execute("SELECT value FROM setting WHERE name = 'revision'").fetchone()
        self.assertEqual(([("of_the_future",)], (later.encode(),)), (kept, revision))

    def test_another_format_is_refused_with_what_to_do(self) -> None:
        self.open().close()
        self.statement("PRAGMA user_version = 99")
        error = self.assertRaises(JournalOfAnother, self.open)
        self.assertIn("its format is 99, this agent knows 1", str(error))
        self.assertIn("Install the agent that wrote it", error.remedy)
        self.assertIn("Restore it", JournalRefused.remedy)
        self.statement("PRAGMA user_version = 1")
        self.assertEqual(2, self.open().boot)  # the refused start was not counted

    def test_a_revision_that_is_none(self) -> None:
        self.open().close()
        self.statement("UPDATE setting SET value = 'x' WHERE name = 'revision'")
        self.assertRaises(JournalRefused, self.open)


class RuleTest(UnitTestCase):
    def test_revisions_only_add(self) -> None:
        for statements in journal_schema.REVISIONS[1:]:
            for statement in filter(str.strip, statements.split(";")):
                self.assertRegex(statement.strip(), r"^(ALTER TABLE \w+ ADD COLUMN|CREATE (TABLE|INDEX)) ")
                if "NOT NULL" in statement and statement.strip().startswith("ALTER"):
                    self.assertIn("DEFAULT", statement)
                self.assertNotRegex(statement, r"ALTER TABLE (setting|secret)\b")

    def test_the_first_revision_is_what_the_former_release_makes(self) -> None:
        made = []
        for tables in (journal_schema.REVISIONS[0], former.TABLES.format(added=former.ADDED)):
            connection = sqlite3.connect(":memory:")
            connection.executescript(tables)
            made.append([connection.execute(f"PRAGMA table_info({name})").fetchall()
                         for name in ("setting", "secret", "command", "workflow", "outbox")])  # fmt: skip
            connection.close()
        self.assertEqual(made[0], made[1])
