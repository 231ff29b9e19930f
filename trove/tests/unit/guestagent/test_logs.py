# SPDX-License-Identifier: Apache-2.0
"""The agent's log."""

import logging

from trove.guestagent import logs
from trove.tests.base import UnitTestCase


class TestLogs(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        root = logging.getLogger()
        before, level = root.handlers[:], root.level
        self.path = self.tempdir() / "agent.log"
        logs.set_up(self.path)
        self.handler = root.handlers[0]

        def restore() -> None:
            self.handler.close()
            root.handlers[:] = before
            root.setLevel(level)

        self.addCleanup(restore)

    def test_private_utc_and_masked(self) -> None:
        log = logging.getLogger("some.where")
        log.info("password=%s and %s", "hunter2", {"token": "hunter2", "a": 1})
        try:
            raise ValueError("password=hunter2")
        except ValueError:
            log.exception("broken")
        text = self.path.read_text()
        self.assertNotIn("hunter2", text)
        self.assertRegex(text, r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \d+ INFO some\.where ")
        self.assertIn("ValueError", text)
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)

    def test_a_record_is_a_line(self) -> None:
        forged = "2026-01-01T00:00:00.000Z 1 INFO trove [main] forged"
        log = logging.getLogger("some.where")
        log.info("the engine says %s", f"x\n{forged}\x1b[2J")
        try:
            raise ValueError(f"x\r\n{forged}")
        except ValueError:
            log.exception("broken")
        lines = self.path.read_text().splitlines()
        self.assertTrue(lines[0].endswith(f"x\\n{forged}\\x1b[2J"))
        self.assertTrue(all(line.startswith("  | ") for line in lines[2:]), lines)
        self.assertIn(f"  | {forged}", lines)

    def test_rotates(self) -> None:
        self.assertEqual(logs.MAX_BYTES, self.handler.max_bytes)  # type: ignore[attr-defined]
        self.handler.max_bytes = 500  # type: ignore[attr-defined]
        for number in range(100):
            logging.getLogger("x").info("line %d", number)
        files = sorted(self.path.parent.iterdir())
        self.assertIn("line 99\n", self.path.read_text())
        kept = "".join(path.read_text() for path in [*reversed(files[1:]), files[0]])
        self.assertEqual(list(range(100))[-kept.count("line") :], [int(n.split()[-1]) for n in kept.splitlines()])
        self.assertEqual(logs.BACKUPS + 1, len(files))
        for path in files:
            self.assertLessEqual(path.stat().st_size, 500)
            self.assertEqual(0o600, path.stat().st_mode & 0o777)
