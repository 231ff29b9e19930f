# SPDX-License-Identifier: Apache-2.0

import errno
from pathlib import Path

import fixtures

from trove.datastores.enginelib import conditions
from trove.tests import base

#: What engines have said, word for word.
DISK_LINES = (
    'PANIC:  could not write to file "pg_wal/xlogtemp.37": No space left on device',
    'ERROR:  could not extend file "base/16384/2619": No space left on device',
    "[ERROR] InnoDB: Error number 28 means 'No space left on device'",
    "[ERROR] mysqld: Disk full (/tmp/#sql-temptable); waiting for someone to free some space... (errno: 28)",
    "[ERROR] InnoDB: Write to file ./ibdata1 failed at offset 0, 16384 bytes should have been written, OS errno 28",
    "1:M 20 Nov 2026 10:00:00 # Write error saving DB on disk: No space left on device",
)
MEMORY_LINES = (
    "FATAL:  could not map anonymous shared memory: Cannot allocate memory",
    "[ERROR] InnoDB: Cannot allocate 274877906944 bytes of memory for the buffer pool",
    "[ERROR] /usr/sbin/mariadbd: Out of memory (Needed 131072 bytes)",
    "# Out Of Memory allocating 1048576 bytes.",
)


class TestFromLog(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.space = (0, 2**30)
        self.useFixture(fixtures.MockPatchObject(conditions, "free_bytes", new=lambda _directory: self.space))

    def test_disk_full(self) -> None:
        for line in DISK_LINES:
            self.assertEqual(conditions.DISK_FULL, conditions.from_log(f"x\n{line}\ny", self.directory), line)

    def test_an_old_line_explains_nothing_when_there_is_space(self) -> None:
        self.space = (2**29, 2**30)
        for line in DISK_LINES:
            self.assertIsNone(conditions.from_log(line, self.directory))

    def test_out_of_memory(self) -> None:
        for line in MEMORY_LINES:
            self.assertEqual(conditions.OUT_OF_MEMORY, conditions.from_log(line, self.directory), line)

    def test_an_ordinary_log(self) -> None:
        for line in ("", "LOG:  database system is ready to accept connections", "errno: 280", "port 28 is in use"):
            self.assertIsNone(conditions.from_log(line, self.directory), line)

    def test_the_last_one_counts(self) -> None:
        text = f"{MEMORY_LINES[0]}\n{DISK_LINES[0]}"
        self.assertEqual(conditions.DISK_FULL, conditions.from_log(text, self.directory))

    def test_full_before_the_last_byte(self) -> None:
        for free, total, full in ((0, 2**30, True), (9 * 2**20, 2**30, True), (12 * 2**20, 2**30, False)):
            self.space = (free, total)
            self.assertEqual(full, conditions.is_full(self.directory), free)
        self.space = (20 * 2**20, 2**40)
        self.assertFalse(conditions.is_full(self.directory))


class TestFromError(base.UnitTestCase):
    def test_errno_is_found_through_causes(self) -> None:
        try:
            try:
                raise OSError(errno.ENOSPC, "x")
            except OSError as err:
                raise ValueError("wrapped") from err
        except ValueError as err:
            self.assertEqual(conditions.DISK_FULL, conditions.from_error(err))
        self.assertEqual(conditions.OUT_OF_MEMORY, conditions.from_error(OSError(errno.ENOMEM, "x")))
        self.assertEqual(conditions.DISK_FULL, conditions.from_error(OSError(errno.EDQUOT, "x")))
        self.assertIsNone(conditions.from_error(OSError(errno.ENOENT, "x")))
        self.assertIsNone(conditions.from_error(None))

    def test_each_has_a_cause_and_a_remedy_that_fit_a_status(self) -> None:
        for condition in (conditions.DISK_FULL, conditions.OUT_OF_MEMORY):
            self.assertTrue(condition.cause.endswith(".") and condition.remedy.endswith("."))
            self.assertTrue(len(str(condition)) < 190)


class TestMemoryKills(base.UnitTestCase):
    def _watch(self, line: str, path: str) -> tuple[conditions.MemoryKills, Path]:
        root = self.tempdir()
        (root / "proc").write_text(f"{line}\n")
        events = root / path
        events.parent.mkdir(parents=True)
        events.write_text("low 0\noom_kill 3\n")
        return conditions.MemoryKills(root / "proc", root), events

    def test_both_versions_of_cgroups(self) -> None:
        for line, path in (
            ("0::/trove/i1", "trove/i1/memory.events"),
            ("0::/trove/i1", "unified/trove/i1/memory.events"),
            ("9:memory:/trove/i1", "memory/trove/i1/memory.oom_control"),
            ("9:cpu,memory:/trove/i1", "memory/trove/i1/memory.oom_control"),
        ):
            watch, events = self._watch(line, path)
            self.assertFalse(watch.since_last_forgiven(), line)
            events.write_text("oom_kill 4\n")
            self.assertTrue(watch.since_last_forgiven(), line)
            watch.forgive()
            self.assertFalse(watch.since_last_forgiven(), line)

    def test_without_a_group_of_our_own_nothing_is_known(self) -> None:
        for line in ("0::/", "9:memory:/", "nonsense"):
            watch, _ = self._watch(line, "memory/memory.oom_control")
            self.assertFalse(watch.since_last_forgiven())
        self.assertFalse(conditions.MemoryKills(self.tempdir() / "absent").since_last_forgiven())
