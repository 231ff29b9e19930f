# SPDX-License-Identifier: Apache-2.0
"""Statuses of logs, and what a request on one amounts to."""

import itertools
from typing import Any

from trove.domain import guest_logs
from trove.domain.guest_logs import Change, Facts
from trove.tests import base


def facts(**changes: Any) -> Facts:
    """Return the facts of a log that is written and empty."""
    given: dict[str, Any] = {
        "enabled": True, "restart_required": False, "size": 0, "published": 0, "pending": 0, "rotated": False,
    }  # fmt: skip
    return Facts(**{**given, **changes})


class TestStatus(base.UnitTestCase):
    def test_each(self) -> None:
        for expected, before, known in (
            ("Disabled", None, facts(enabled=False)),
            ("Disabled", "Published", facts(enabled=False, size=9, published=9)),
            ("Enabled", None, facts()),
            ("Unavailable", None, facts(enabled=None)),
            ("Ready", None, facts(size=9, pending=9)),
            ("Ready", None, facts(enabled=None, size=9, pending=9)),
            ("Published", "Ready", facts(size=9, published=9)),
            ("Partial", "Published", facts(size=12, published=9, pending=3)),
            ("Rotated", "Published", facts(size=3, published=9, pending=3, rotated=True)),
            ("Restart Required", "Disabled", facts(restart_required=True)),
            ("Restart Required", "Enabled", facts(enabled=False, restart_required=True)),
            ("Restart Completed", "Restart Required", facts()),
            ("Restart Completed", "Restart Completed", facts(size=9, pending=9)),
            ("Published", "Restart Completed", facts(size=9, published=9)),
        ):
            self.assertEqual(expected, guest_logs.status(before, known), (before, known))

    def test_always_one_of_them(self) -> None:
        seen = set()
        flags = (True, False)
        for before, enabled, restart, size, published, pending, rotated in itertools.product(
            (None, *guest_logs.STATUSES), (True, False, None), flags, (0, 9), (0, 9), (0, 9), flags
        ):
            found = guest_logs.status(before, Facts(enabled, restart, size, published, pending, rotated))
            self.assertIn(found, guest_logs.STATUSES)
            seen.add(found)
        self.assertEqual(set(guest_logs.STATUSES), seen)


class TestPlan(base.UnitTestCase):
    def test_of_the_owners(self) -> None:
        for expected, wanted in (
            (Change(), {}),
            (Change(), {"enable": False, "publish": False}),
            (Change(True), {"enable": True}),
            (Change(False), {"disable": True}),
            (Change(True, publish=True), {"publish": True}),
            (Change(True, discard=True), {"discard": True}),
            (Change(False, discard=True), {"disable": True, "discard": True}),
            (Change(False, publish=True), {"disable": True, "publish": True}),
            (Change(True, discard=True, publish=True), {"discard": True, "publish": True}),
        ):
            self.assertEqual(expected, guest_logs.plan("USER", wanted), wanted)
        self.assertTrue(Change().nothing)
        self.assertFalse(Change(True).nothing)
        self.assertIn("exclude", str(guest_logs.plan("USER", {"enable": True, "disable": True, "publish": True})))

    def test_of_the_system(self) -> None:
        self.assertEqual(Change(publish=True, discard=True), guest_logs.plan("SYS", {"publish": True, "discard": True}))
        for switch in ("enable", "disable"):
            self.assertIn("SYS", str(guest_logs.plan("SYS", {switch: True, "publish": True})))


class TestNames(base.UnitTestCase):
    def test_names_sort_as_the_lines_do(self) -> None:
        prefix = guest_logs.prefix("i", "mysql", "general")
        self.assertEqual("i/mysql-general/", prefix)
        self.assertEqual("i/mysql-general_metafile", guest_logs.metafile("i", "mysql", "general"))
        made = [
            guest_logs.object_name(prefix, started, number)
            for started in ("2026-01-01T00:00:00.000", "2026-01-01T00:00:00.500", "2026-01-02T00:00:00.000")
            for number in (1, 2, 10, 9999)
        ]
        self.assertEqual(sorted(made), made)
        self.assertTrue(all(name.startswith(f"{prefix}log-") for name in made))
