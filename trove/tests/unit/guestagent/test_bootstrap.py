# SPDX-License-Identifier: Apache-2.0
"""The bootstrap document on disk."""

import json

from trove.guestagent import bootstrap
from trove.tests.base import UnitTestCase
from trove.tests.unit.guestagent.fakes import ONE_TIME_KEY, document


class TestBootstrap(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.path = self.directory / "bootstrap.json"
        self.path.write_text(json.dumps({**document(self.directory).to_wire(), "from_the_future": [1]}))
        self.path.chmod(0o600)

    def test_load(self) -> None:
        self.assertEqual(document(self.directory), bootstrap.load(self.path))

    def test_errors_name_the_field_and_hide_the_value(self) -> None:
        for text in ('{"one_time_key": "hunter2"}', "hunter2", '{"instance_id": 5}', ""):
            self.path.write_text(text)
            error = self.assertRaises(bootstrap.BootstrapError, bootstrap.load, self.path)
            self.assertNotIn("hunter2", str(error))
        self.path.unlink()
        self.assertRaises(bootstrap.BootstrapError, bootstrap.load, self.path)

    def test_erase_takes_the_key_and_nothing_else(self) -> None:
        before = json.loads(self.path.read_text())
        self.assertTrue(bootstrap.erase_one_time_key(self.path))
        self.assertNotIn(ONE_TIME_KEY, self.path.read_text())
        del before["one_time_key"]
        self.assertEqual(before, json.loads(self.path.read_text()))
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)
        self.assertFalse(bootstrap.erase_one_time_key(self.path))
        self.assertIsNone(bootstrap.load(self.path).one_time_key)
