# SPDX-License-Identifier: Apache-2.0
"""The standalone service behind a real Keystone: the ordinary client, a real engine, and an administrator of another
project."""

import os
import pathlib
import subprocess
import sys
from typing import Any

import requests

from trove.standalone import demo
from trove.tests.e2e import base
from trove.tests.fixtures.keystone import Account, KeystoneFixture

_CONFIG = """
[DEFAULT]
auth_strategy = keystone

[keystone_authtoken]
{settings}
"""


class KeystoneClient(base.Client):
    """The client as somebody in Keystone; what it has no command for is sent with a token."""

    def __init__(self, keystone: KeystoneFixture, account: Account, home: pathlib.Path, url: str) -> None:
        clouds = keystone.write_clouds(home / f"{account.name}.yaml", {"trove-standalone": account})
        self.environment = self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            "OS_CLOUD": "trove-standalone",
        }
        self.endpoint = f"{url}/{account.in_project}"
        self._session = requests.Session()
        self._session.headers["X-Auth-Token"] = keystone.token(account)


class KeystoneTest(base.EndToEndTestCase):
    def test_two_projects_and_an_administrator(self) -> None:
        keystone = self.useFixture(KeystoneFixture())
        options = keystone.service_options()
        settings = "\n".join(f"{name} = {value}" for name, value in options.items())
        service = self.standalone(_CONFIG.format(settings=settings))
        self.assertFalse(service.layout.clouds.exists())
        url = service.status()["endpoint"]
        keystone.register("database", f"{url}/%(project_id)s")

        def client(account: Account) -> Any:
            return KeystoneClient(keystone, account, service.layout.root, url)

        owner, admin = client(keystone.account("member")), client(keystone.account("admin"))
        made = owner.run(
            "instance", "create", "orders", "--flavor", "db.tiny", "--size", "1", "--datastore", "postgresql",
            "--databases", "shop", "--users", "app:secret",
        )  # fmt: skip
        shown = owner.wait_active(made["id"])
        self.assertEqual([(1,)], self.rows(self.connect(shown, "shop", "app", "secret"), "select 1"))

        reader = client(keystone.account("reader", project_id=owner.endpoint.rpartition("/")[2]))
        self.assertEqual(["orders"], [row["Name"] for row in reader.run("instance", "list")])
        refused = self.assertRaises(base.ClientError, reader.run, "instance", "restart", "orders", json_output=False)
        self.assertIn("403", refused.text)

        self.assertEqual([], admin.run("instance", "list"))
        self.assertEqual([made["id"]], [row["ID"] for row in admin.run("instance", "list", "--all-projects")])
        admin.run("instance", "restart", made["id"], json_output=False)
        owner.wait_active(made["id"])
        admin.run("instance", "delete", made["id"], json_output=False)
        owner.wait_gone(made["id"])

        self._quickstart(service, owner)

        log = service.layout.log.read_text()
        self.assertEqual([], [secret for secret in (options["password"], "gAAAA") if secret in log])

    def _quickstart(self, service: base.Standalone, owner: KeystoneClient) -> None:
        """The quickstart's tour has no account of its own here: it takes the caller's, every time, or says so."""
        program = [sys.executable, "-P", "-m", demo.__name__, "--data-dir", str(service.layout.root)]
        bare = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        for environment, expected in (
            (bare, "accounts are Keystone's. Register that URL"),
            ({**bare, **owner.environment}, "demo@demo: PostgreSQL"),
            ({**bare, **owner.environment}, "instance 'demo' exists"),
        ):
            done = subprocess.run(
                program, capture_output=True, text=True, check=False, timeout=base.PATIENCE, env=environment
            )
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            self.assertIn(expected, done.stdout)
