# SPDX-License-Identifier: Apache-2.0
"""What the end of an agent means."""

from pathlib import Path
from typing import Any
from unittest import mock

from trove.common import clock
from trove.guestagent import agent
from trove.providers.local import agent_health
from trove.tests.base import UnitTestCase


class TestHung(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = clock.monotonic()
        self.record: dict[str, Any] = {"spawned_at": self.now - 1000.0}
        patcher = mock.patch.object(clock, "monotonic", autospec=True, side_effect=lambda: self.now)
        patcher.start()
        self.addCleanup(patcher.stop)

    def hung(self, silent: float, awake: float = 1000.0) -> float | None:
        return agent_health.hung(self.record, self.now - silent, awake_since=self.now - awake)

    def test_only_who_has_been_silent_for_long(self) -> None:
        self.assertIsNone(self.hung(agent_health.PATIENCE - 1))
        self.assertEqual(agent_health.PATIENCE + 1, self.hung(agent_health.PATIENCE + 1))
        self.assertIsNone(agent_health.hung(self.record, None, awake_since=0.0))
        self.record["spawned_at"] = self.now - 5  # the file is of the agent before
        self.assertIsNone(self.hung(500.0))

    def test_a_sign_of_life_from_an_earlier_boot(self) -> None:
        self.assertIsNotNone(self.hung(-500.0))
        self.record["spawned_at"] = self.now - 5
        self.assertIsNone(self.hung(-500.0))

    def test_what_stops_supervision_may_stop_agents(self) -> None:
        self.assertIsNone(self.hung(500.0, awake=5.0))

    def test_patience_grows(self) -> None:
        found = []
        for _ in range(7):
            found.append(self.patience())
            agent_health.count_hang(self.record)
        self.assertEqual([30, 60, 120, 240, 480, 480, 480], found)
        self.record["spawned_at"] = self.now - 4000.0
        agent_health.count_hang(self.record)
        self.assertEqual(60, self.patience())

    def patience(self) -> int:
        return next(seconds for seconds in range(0, 900, 10) if self.hung(seconds + 1.0) is not None)


class TestJudge(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.tempdir() / "agent.log"
        self.record: dict[str, Any] = {"pid": 7, "started": 70, "quick_ends": 0, "failure": None}

    def ends(self, status: int | None, lifetime: float = 1.0) -> None:
        """Another process of this server ends."""
        self.record["pid"] += 1
        agent_health.record_exit(self.record, status, self.log, lifetime=lifetime)

    def test_statuses_are_the_agents(self) -> None:
        operators = {agent.BAD_BOOTSTRAP, agent.BAD_JOURNAL, agent.CANNOT_ENROL}
        self.assertEqual(operators, set(agent_health.NEED_OPERATOR))

    def test_quick_ends_add_up_and_a_long_life_clears_them(self) -> None:
        pauses = []
        for _ in range(7):
            self.ends(1)
            pauses.append(agent_health.pause(self.record))
        self.assertEqual([2, 4, 8, 16, 32, 60, 60], pauses)
        self.assertTrue(agent_health.failed(self.record))
        self.assertIn("as soon as it is started", agent_health.detail(self.record, self.log))
        self.ends(1, lifetime=11.0)
        self.assertFalse(agent_health.failed(self.record))
        self.assertEqual(0.0, agent_health.pause(self.record))

    def test_one_process_counts_once(self) -> None:
        self.ends(1)
        for _ in range(9):
            agent_health.record_exit(self.record, 1, self.log, lifetime=5.0)
        self.assertEqual(1, self.record["quick_ends"])

    def test_who_needs_an_operator_fails_at_once_whenever_it_ends(self) -> None:
        for status in agent_health.NEED_OPERATOR:
            for lifetime in (0.1, 1e6):
                self.record["quick_ends"] = 0
                self.ends(status, lifetime)
                self.assertTrue(agent_health.failed(self.record))
                self.assertIn(agent_health.NEED_OPERATOR[status], agent_health.detail(self.record, self.log))
        self.ends(None)
        self.assertIsNone(self.record["failure"])

    def test_reason_is_the_last_the_agent_gave(self) -> None:
        self.log.write_bytes(
            b"trove-guestagent: an older one\nTraceback: noise\n"
            b"trove-guestagent: the journal is \x1b[31mdamaged, secret=abc. \xff\nmore noise\n"
        )
        self.ends(74)
        self.assertEqual("the journal is [31mdamaged, secret=*** \ufffd", self.record["failure"])
        self.log.write_text("x" * 9000 + "\ntrove-guestagent: " + "y" * 3000)
        self.ends(74)
        self.assertEqual("y" * 200, self.record["failure"])

    def test_no_log(self) -> None:
        for log in (self.log, Path("/proc/nowhere")):
            self.log = log
            self.ends(65)
            self.assertEqual(agent_health.NEED_OPERATOR[65], self.record["failure"])
