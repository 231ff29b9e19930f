# SPDX-License-Identifier: Apache-2.0
"""What survives a restart, what is erased, and what is refused."""

import itertools
import os
import sqlite3

import fixtures

from trove.common import ids
from trove.guestagent import journal as journals
from trove.guestagent.journal import CommandRecord, Journal, JournalError, JournalRefused
from trove.tests.base import UnitTestCase
from trove.tests.unit.guestagent.fakes import INSTANCE
from trove.wire import report


def result(command_id: str, state: str = "ACCEPTED", **fields: object) -> report.CommandResult:
    return report.CommandResult(report_id=ids.new_id(), command_id=command_id, state=state, **fields)


def accepted(command_id: str, **fields: object) -> CommandRecord:
    return CommandRecord(id=command_id, name="enable_root", version=1, state="ACCEPTED", **fields)


class JournalCase(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "journal.sqlite"
        self.journal = self.open()

    def open(self, instance_id: str = INSTANCE) -> Journal:
        journal = Journal.open(self.path, instance_id)
        self.addCleanup(journal.close)
        return journal

    def reopen(self) -> Journal:
        self.journal.close()
        self.journal = self.open()
        return self.journal


class TestJournal(JournalCase):
    def test_counts_starts(self) -> None:
        self.assertEqual(1, self.journal.boot)
        self.assertEqual(2, self.reopen().boot)
        self.assertEqual(3, self.reopen().boot)

    def test_is_private(self) -> None:
        self.journal.set_keys({"master": "aa"})
        files = list(self.path.parent.iterdir())
        self.assertIn(self.path, files)
        for path in files:
            self.assertEqual(0o600, path.stat().st_mode & 0o777, path)

    def test_is_durable(self) -> None:
        connection = self.journal._connection
        self.assertEqual(2, connection.execute("PRAGMA synchronous").fetchone()[0])
        self.assertEqual("wal", connection.execute("PRAGMA journal_mode").fetchone()[0])

    def test_settings_and_keys(self) -> None:
        self.assertIsNone(self.journal.setting("volume_gib"))
        self.assertIsNone(self.journal.keys())
        self.journal.record(accepted("c"), [])
        self.journal.finish(result("c", "DONE"), settings={"volume_gib": 5})
        self.journal.set_keys({"master": "aa"})
        self.journal.set_keys({"master": "bb"})
        self.reopen()
        self.assertEqual(5, self.journal.setting("volume_gib"))
        self.assertEqual({"master": "bb"}, self.journal.keys())

    def test_commands_in_order_of_acceptance(self) -> None:
        for name in ("c", "a", "b"):
            self.journal.record(accepted(name, args={"n": name}), [result(name)])
        order = []
        while (record := self.reopen().next_unfinished()) is not None:
            order.append(record.id)
            self.assertEqual({"n": record.id}, record.args)
            self.journal.finish(result(record.id, "DONE"))
        self.assertEqual(["c", "a", "b"], order)

    def test_result_is_kept_and_args_are_not(self) -> None:
        self.journal.record(accepted("a", args={"password": "hunter2-in-the-clear"}), [])
        self.assertIn(b"hunter2-in-the-clear", self.bytes_on_disk())
        self.journal.finish(
            result("a", "FAILED", result={"x": 1}, error_symbol="user.exists", error_message="there is one")
        )
        self.assertNotIn(b"hunter2-in-the-clear", self.bytes_on_disk())
        record = self.reopen().find("a")
        self.assertEqual(("FAILED", None, {"x": 1}), (record.state, record.args, record.result))
        self.assertEqual(("user.exists", "there is one"), (record.error_symbol, record.error_message))
        self.assertIsNone(self.journal.next_unfinished())

    def bytes_on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.iterdir()))

    def test_replaced_keys_are_not_on_disk(self) -> None:
        self.journal.set_keys({"master": "the-old-master-key"})
        self.journal.set_keys({"master": "the-new-master-key"})
        self.reopen()
        self.assertNotIn(b"the-old-master-key", self.bytes_on_disk())

    def test_refused_command_keeps_no_args(self) -> None:
        self.journal.record(CommandRecord(id="a", name="x", version=1, state="FAILED", args={"p": "s3cret"}), [])
        self.assertNotIn(b"s3cret", self.bytes_on_disk())

    def test_epoch_only_rises(self) -> None:
        self.assertEqual(0, self.journal.epoch("w"))
        self.journal.record(accepted("a", workflow_id="w", epoch=7), [])
        self.journal.record(accepted("b", workflow_id="w", epoch=3), [])
        self.assertEqual(7, self.reopen().epoch("w"))

    def test_term_only_rises(self) -> None:
        self.assertEqual(0, self.journal.term("s"))
        for command_id, set_id, term in (("a", "s", 7), ("b", "s", 3), ("c", "t", 1)):
            self.journal.record(accepted(command_id, set_id=set_id, term=term), [])
        self.assertEqual((7, 1), (self.reopen().term("s"), self.journal.term("t")))
        self.assertEqual(("s", 3), (self.journal.find("b").set_id, self.journal.find("b").term))

    def test_same_id_twice_is_refused_and_leaves_no_report(self) -> None:
        self.journal.record(accepted("a"), [])
        self.assertRaises(JournalError, self.journal.record, accepted("a"), [result("a")])
        self.assertEqual([], self.journal.unacknowledged())

    def test_only_the_command_at_work_counts_interruptions(self) -> None:
        self.journal.record(accepted("a"), [])
        self.journal.record(accepted("b"), [])
        self.reopen()
        self.reopen()
        self.assertEqual(2, self.journal.find("a").interruptions)
        self.assertEqual(0, self.journal.find("b").interruptions)

    def test_finish_writes_all_or_nothing(self) -> None:
        self.journal.record(accepted("a", args={"x": 1}), [])
        good = result("a", "DONE")
        self.assertRaises(JournalError, self.journal.finish, good, [good], {"volume_gib": 9})
        self.assertEqual("ACCEPTED", self.journal.find("a").state)
        self.assertEqual({"x": 1}, self.journal.find("a").args)
        self.assertIsNone(self.journal.setting("volume_gib"))
        self.assertEqual([], self.journal.unacknowledged())

    def test_outbox_keeps_order_and_types(self) -> None:
        first = result("a")
        inventory = report.Inventory(report_id="i1", databases=[], users=[], root_enabled=False)
        last = result("a", "DONE", result={"n": [1, "x"]})
        self.journal.record(accepted("a"), [first])
        self.journal.finish(last, [inventory])
        self.assertEqual([first, inventory, last], self.reopen().unacknowledged())
        self.journal.forget([inventory.report_id, "unknown"])
        self.assertEqual([first, last], self.reopen().unacknowledged())

    def test_newer_inventory_replaces_older(self) -> None:
        for number in ("i1", "i2"):
            self.journal.add_reports([report.Inventory(report_id=number, databases=[], users=[], root_enabled=False)])
        self.assertEqual(["i2"], [item.report_id for item in self.journal.unacknowledged()])

    def test_forgets_only_very_old_finished_commands(self) -> None:
        self.useFixture(fixtures.MockPatchObject(journals, "KEEP_FINISHED", 3))
        for number in range(8):
            self.journal.record(accepted(f"c{number}", workflow_id=f"w{number}", epoch=number + 1), [])
        for number in range(1, 8):
            self.journal.finish(result(f"c{number}", "DONE"))
        self.reopen()
        kept = [number for number in range(8) if self.journal.find(f"c{number}") is not None]
        self.assertEqual([0, 5, 6, 7], kept)
        self.assertEqual([0, 6, 8], [self.journal.epoch(f"w{number}") for number in (4, 5, 7)])

    def test_forgets_while_it_runs_and_not_all_at_once(self) -> None:
        self.useFixture(fixtures.MockPatchObject(journals, "KEEP_FINISHED", 10))
        self.useFixture(fixtures.MockPatchObject(journals, "PRUNE_EVERY", 5))
        self.journal.record(accepted("unfinished"), [])
        self.useFixture(fixtures.MockPatchObject(journals, "KEEP_FINISHED", 1000))
        for number in range(100):
            self.journal.record(accepted(f"c{number}", workflow_id=f"w{number}", set_id=f"s{number}", term=1), [])
            self.journal.finish(result(f"c{number}", "DONE"))
        self.useFixture(fixtures.MockPatchObject(journals, "KEEP_FINISHED", 10))
        left = []
        for number in range(100, 200):
            self.journal.record(accepted(f"c{number}", workflow_id=f"w{number}", set_id="s", term=1), [])
            self.journal.finish(result(f"c{number}", "DONE"))
            left.append(self.count("command"))
        self.assertLessEqual(max(before - after for before, after in itertools.pairwise(left)), 2 * 5 - 1)
        self.assertLess(max(left[-10:]), 20)
        self.assertLess(self.count("workflow"), 20)
        self.assertEqual("unfinished", self.journal.next_unfinished().id)
        self.assertEqual(101, self.count("term"))

    def test_a_workflow_that_is_heard_of_lately_is_remembered(self) -> None:
        self.useFixture(fixtures.MockPatchObject(journals, "KEEP_FINISHED", 5))
        for number in range(30):
            self.journal.record(accepted(f"a{number}", workflow_id="long", epoch=9), [])
            self.journal.record(accepted(f"b{number}", workflow_id=f"w{number}", epoch=1), [])
        self.assertEqual(9, self.reopen().epoch("long"))

    def count(self, table: str) -> int:
        return self.journal._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


class TestRefusal(JournalCase):
    def test_not_a_database(self) -> None:
        self.journal.close()
        for path in self.path.parent.iterdir():
            path.unlink()
        self.path.write_bytes(b"this is no journal" * 1000)
        self.assertRaises(JournalRefused, self.open)
        self.assertEqual(b"this is no journal" * 1000, self.path.read_bytes())

    def test_damaged_pages(self) -> None:
        for number in range(200):
            self.journal.record(accepted(f"c{number}", args={"x": "y" * 200}), [result(f"c{number}")])
        self.journal.scrub()
        self.journal.close()
        size = self.path.stat().st_size
        with open(self.path, "r+b") as stream:
            stream.seek(4096 * 3)
            stream.write(os.urandom(size - 4096 * 6))
        self.assertRaises(JournalRefused, self.open)

    def test_missing_table(self) -> None:
        self.tamper("DROP TABLE command")
        self.assertRaises(JournalRefused, self.open)

    def test_of_another_instance(self) -> None:
        self.journal.close()
        self.assertRaises(JournalRefused, self.open, "another-instance")
        self.assertEqual(2, self.reopen().boot)  # the refused start was not counted

    def test_foreign_sqlite_file(self) -> None:
        self.journal.close()
        self.path = self.tempdir() / "other.sqlite"
        with sqlite3.connect(self.path) as connection:
            connection.execute("CREATE TABLE somebody_elses (x)")
        connection.close()
        self.assertRaises(JournalRefused, self.open)

    def test_damaged_row(self) -> None:
        self.journal.add_reports([result("a")])
        self.tamper("UPDATE outbox SET body = 'nonsense'")
        self.assertRaises(JournalRefused, self.open().unacknowledged)

    def test_full_disk_is_not_damage(self) -> None:
        pages = self.journal._connection.execute("PRAGMA page_count").fetchone()[0]
        self.journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        big = accepted("a", args={"x": "y" * 100_000})
        error = self.assertRaises(JournalError, self.journal.record, big, [])
        self.assertNotIsInstance(error, JournalRefused)
        self.assertIsNone(self.journal.find("a"))
        self.journal._connection.execute("PRAGMA max_page_count = 100000")
        self.journal.record(big, [])
        self.assertEqual("ACCEPTED", self.journal.find("a").state)

    def test_closed_is_not_damage(self) -> None:
        self.journal.close()
        error = self.assertRaises(JournalError, self.journal.find, "a")
        self.assertNotIsInstance(error, JournalRefused)

    def tamper(self, statement: str) -> None:
        self.journal.close()
        connection = sqlite3.connect(self.path)
        connection.execute(statement)
        connection.commit()
        connection.close()
