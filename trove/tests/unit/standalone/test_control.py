# SPDX-License-Identifier: Apache-2.0
"""Stopping what does not run."""

from trove.standalone import control
from trove.standalone.layout import Layout
from trove.tests import base


class TestControl(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir() / "data")

    def test_nothing_was_ever_started(self) -> None:
        self.assertEqual(["the service is not running"], list(control.stop(self.layout, keep_databases=False)))
        self.assertFalse(self.layout.root.exists())
