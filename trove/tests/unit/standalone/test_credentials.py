# SPDX-License-Identifier: Apache-2.0
"""The one account, as the API checks it and as clients find it."""

import yaml

from trove.api import authn
from trove.standalone import credentials
from trove.standalone.layout import Layout, Settings
from trove.tests import base


class TestCredentials(base.UnitTestCase):
    def test_both_files(self) -> None:
        layout = Layout(self.tempdir())
        credentials.write(layout, Settings("p", "hunter2", 1), "http://127.0.0.1:8779")
        for path in (layout.users, layout.clouds):
            self.assertEqual(0o600, path.stat().st_mode & 0o777)
        self.assertNotIn("hunter2", layout.users.read_text())
        auth = yaml.safe_load(layout.clouds.read_text())["clouds"][credentials.CLOUD]["auth"]
        self.assertEqual("http://127.0.0.1:8779/v1.0/p", auth["endpoint"])
        self.assertEqual((credentials.USER, "hunter2"), (auth["username"], auth["password"]))
        self.assertTrue(hasattr(authn, "write_users_file"))

    def test_with_keystone_there_are_none(self) -> None:
        layout = Layout(self.tempdir() / "service")
        layout.create_root()
        for strategy, there in (("http_basic", True), ("keystone", False)):
            credentials.write(layout, Settings("p", "hunter2", 1), "http://127.0.0.1:8779", strategy)
            self.assertEqual(there, layout.clouds.exists())
