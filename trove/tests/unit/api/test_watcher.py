# SPDX-License-Identifier: Apache-2.0
"""Who is told of the end of an operation."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any
from unittest import mock

from trove.api import watcher
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class WatcherTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.asked: list[Collection[str]] = []
        self.ended: list[str] = []
        self.told: list[tuple[str, Any]] = []
        self.watcher = watcher.Watcher(self.find)

    def find(self, operation_ids: Collection[str]) -> list[Any]:
        self.asked.append(operation_ids)
        return [SimpleNamespace(id=name) for name in self.ended if name in operation_ids]

    def watch(self, name: str, seconds: float = 10) -> watcher.Watch:
        # The thread does nothing but call look() again and again.
        with mock.patch("threading.Thread", autospec=True):
            return self.watcher.watch(name, seconds, lambda operation: self.told.append((name, operation)))

    def test_one_question_for_all(self) -> None:
        for name in ("a", "b", "a"):
            self.watch(name)
        self.watcher.look()
        self.assertEqual([{"a", "b"}], self.asked)
        self.assertEqual([], self.told)

    def test_each_is_told_once(self) -> None:
        self.watch("a")
        self.watch("a")
        self.watch("b")
        self.ended = ["a"]
        self.watcher.look()
        self.watcher.look()
        self.assertEqual(["a", "a"], [name for name, _ in self.told])
        self.assertEqual([{"a", "b"}, {"b"}], self.asked)

    def test_time_is_over(self) -> None:
        self.watch("a", 1)
        self.watch("b", 3)
        self.clock.advance(2)
        self.watcher.look()
        self.assertEqual([("a", None)], self.told)

    def test_whoever_went_is_not_told(self) -> None:
        gone = self.watch("a")
        self.watcher.forget(gone)
        self.watcher.forget(gone)
        self.ended = ["a"]
        self.watcher.look()
        self.assertEqual(([], []), (self.told, self.asked))

    def test_a_database_that_is_away(self) -> None:
        self.watch("a", 1)
        with mock.patch.object(self.watcher, "_ended", side_effect=RuntimeError("s3cret"), autospec=True):
            self.watcher.look()
            self.assertEqual([], self.told)
            self.clock.advance(2)
            self.watcher.look()
        self.assertEqual([("a", None)], self.told)
        self.assertNotIn("s3cret", self.logs.text())
        self.assertEqual(1, self.logs.text().count("RuntimeError"))  # it looks twenty times a second
