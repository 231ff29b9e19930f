# SPDX-License-Identifier: Apache-2.0
"""Stopping what does not run, and what does not stop."""

from unittest import mock

from trove.providers import base as base_errors
from trove.providers.local.provider import LocalProvider
from trove.standalone import control, layout
from trove.standalone.layout import Layout
from trove.tests import base


class TestControl(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir() / "data")

    def test_nothing_was_ever_started(self) -> None:
        self.assertEqual(["the service is not running"], list(control.stop(self.layout, keep_databases=False)))
        self.assertFalse(self.layout.root.exists())

    def test_what_is_left_is_told_and_fails(self) -> None:
        with mock.patch.object(layout, "_free_port", autospec=True, return_value=20001):
            self.layout.create()
        directory = self.layout.guests / "servers" / "6d5b53b8-b742-4f9f-b1f1-4294e596d20b"
        directory.mkdir(parents=True)
        (directory / "server.json").write_text("{")
        with mock.patch.object(control, "STOP_TIMEOUT", 0.0):
            err = self.assertRaises(control.StopFailed, list, control.stop(self.layout, keep_databases=False))
        self.assertIn(f"server {directory.name}: the record {directory}/server.json cannot be read", str(err))

    def test_provider_that_fails_is_told(self) -> None:
        left: list[str] = []
        provider = mock.Mock(spec_set=["halt", "left"])
        provider.halt.side_effect = base_errors.RetryableError("the lock is held by process 17")
        other = mock.Mock(spec_set=["halt", "left"], left=["server x: it is stuck"])
        other.halt.return_value = False
        for _ in range(2):
            self.assertIs(False, control._halted([provider, other], left))
            self.assertEqual(["the lock is held by process 17", "server x: it is stuck"], left)

    def test_databases_of_a_provider_that_is_not_the_default_are_stopped(self) -> None:
        with mock.patch.object(layout, "_free_port", autospec=True, return_value=20001):
            self.layout.create()
        (self.layout.root / "trove.conf").write_text("[DEFAULT]\nprovider = fake\nenabled_providers = fake, local\n")
        (self.layout.guests / "servers").mkdir(parents=True)
        with mock.patch.object(LocalProvider, "halt", autospec=True, return_value=True) as halt:
            said = list(control.stop(self.layout, keep_databases=False))
        self.assertEqual(1, halt.call_count)
        self.assertIn("all databases are stopped", said[-1])
