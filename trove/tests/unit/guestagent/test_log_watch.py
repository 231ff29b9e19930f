# SPDX-License-Identifier: Apache-2.0
"""When logs are looked at and told."""

from types import SimpleNamespace
from typing import Any

from trove.datastores import spi
from trove.guestagent import log_watch
from trove.guestagent.journal import JournalRefused
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class LogWatchTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.general = self.tempdir() / "general.log"
        self.own = self.tempdir() / "agent.log"
        self.own.write_text("agent\n")
        self.enabled = False
        self.settings: dict[str, Any] = {}
        self.error: Exception | None = None
        handler: Any = SimpleNamespace(commands=lambda: {"set_log": None}, logs=self.engine_logs)
        journal: Any = SimpleNamespace(setting=self.settings.get)
        self.watch = log_watch.LogWatch(handler, journal, self.own)

    def engine_logs(self) -> list[spi.EngineLog]:
        """Return what the engine has."""
        if self.error is not None:
            raise self.error
        paths = [self.general] if self.general.exists() else []
        return [spi.EngineLog("general", "USER", paths, enabled=self.enabled)]

    def told(self, seconds: float = 61.0) -> dict[str, tuple[Any, ...]] | None:
        """Let time pass; return what is told then, by log: enabled, size, pending, rotated."""
        self.clock.advance(seconds)
        reports = self.watch.if_due()
        if not reports:
            return None
        (message,) = reports
        return {fact.name: (fact.enabled, fact.size, fact.pending, fact.rotated) for fact in message.logs}

    def test_what_changes_a_status_is_told_at_once_and_sizes_seldom(self) -> None:
        self.assertEqual({"general": (False, 0, 0, False), "guest": (None, 6, 6, False)}, self.told())
        self.assertIsNone(self.told())
        self.enabled = True
        self.general.write_text("a\n")
        self.assertIsNone(self.told(30), "it is not time to look")
        self.assertEqual((True, 2, 2, False), (self.told() or {})["general"])
        self.general.write_text("a\nb\n")
        self.assertIsNone(self.told())
        self.assertEqual((True, 4, 4, False), (self.told(301) or {})["general"])
        self.assertIsNone(self.told(301))

    def test_after_a_command_sizes_count(self) -> None:
        self.assertEqual(1, len(self.watch.after_command()))
        self.assertEqual((), self.watch.after_command())
        self.general.write_text("a\n")
        self.assertEqual(1, len(self.watch.after_command()))

    def test_rotated(self) -> None:
        self.settings[log_watch.setting("general")] = f"2-{'0' * 64}:2"
        self.general.write_text("another\n")
        self.assertEqual((False, 8, 8, True), (self.told() or {})["general"])

    def test_untold_is_told_again(self) -> None:
        self.assertIsNotNone(self.told())
        self.watch.untold()
        self.assertIsNotNone(self.told(0))

    def test_failures(self) -> None:
        self.error = OSError("disk")
        self.assertIsNone(self.told())
        self.error = JournalRefused("damaged")
        self.assertRaises(JournalRefused, self.told)

    def test_a_handler_without_logs(self) -> None:
        handler: Any = SimpleNamespace(commands=dict)
        journal: Any = SimpleNamespace(setting=self.settings.get)
        self.assertEqual(["guest"], [log.name for log in log_watch.LogWatch(handler, journal, self.own).logs()])
        self.assertEqual([], log_watch.LogWatch(handler, journal, None).logs())
