# SPDX-License-Identifier: Apache-2.0
"""Published logs where owners read them: in Swift, with a real Keystone; the client goes there by itself."""

import pathlib

import yaml

from trove.tests.e2e import base as e2e
from trove.tests.e2e.client import base
from trove.tests.e2e.client.shell import ServiceLog, Shell
from trove.tests.e2e.test_keystone import KeystoneClient
from trove.tests.fixtures import server_process, swift
from trove.tests.fixtures.keystone import Account, KeystoneFixture

_CONFIG = """
[DEFAULT]
auth_strategy = keystone
[keystone_authtoken]
{validation}
[object_store]
driver = swift
swift_interface = public
[service_credentials]
auth_url = {url}
username = {name}
password = {password}
project_id = {project}
region_name = {region}
"""


class LogsInSwiftTest(base.CommandsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.keystone = self.useFixture(KeystoneFixture())
        try:
            store = swift.start_with_keystone(self.keystone.url)
        except server_process.ServerUnavailable as error:
            self.skipTest(str(error))
        self.keystone.register("object-store", f"{store}/AUTH_%(project_id)s")
        validation = "\n".join(f"{key} = {value}" for key, value in self.keystone.service_options().items())
        writer = self.keystone.account("ResellerAdmin", "service")
        self.service = self.standalone(_CONFIG.format(
            validation=validation, url=self.keystone.url, name=writer.name, password=writer.password,
            project=writer.in_project, region=self.keystone.region,
        ))  # fmt: skip
        url = self.service.status()["endpoint"]
        self.keystone.register("database", f"{url}/%(project_id)s")
        owner = self.keystone.account("member")
        self.http = KeystoneClient(self.keystone, owner, self.service.layout.root, url)
        clouds = self.write_clouds(owner)
        environment = base.environment(clouds, self.service.layout.root)
        self.shell = Shell(environment, ServiceLog(self.service.layout.log))
        self.addCleanup(self.shell.close)

    def write_clouds(self, owner: Account) -> pathlib.Path:
        """Write a cloud that the client can log in to Swift with: it repeats names and password."""
        project = self.keystone.call("GET", f"/projects/{owner.in_project}")["project"]["name"]
        path = self.keystone.write_clouds(self.service.layout.root / "owner.yaml", {"trove-standalone": owner})
        document = yaml.safe_load(path.read_text())
        cloud = document["clouds"]["trove-standalone"]
        cloud["auth_type"] = "password"  # the client takes the words of the login out of this kind only
        auth = cloud["auth"]
        del auth["project_id"]
        auth.update(project_name=project, project_domain_id="default")
        path.write_text(yaml.safe_dump(document))
        return path

    def test_tail_and_save(self) -> None:
        made = self.ask(
            "database instance create", "orders", "--flavor", "db.tiny", "--size", "1", "--datastore", "postgresql",
            "--databases", "shop", "--users", "app:app-secret",
        )  # fmt: skip
        shown = self.http.wait_active(made["id"])
        self.ask("database log set", "orders", "general", "--enable")
        connection = self.connect(shown, "shop", "app", "app-secret")
        for number in range(3):
            self.rows(connection, f"select 'statement-{number}'")
        published = e2e.wait_until(self.publish, "the log is published")
        self.assertTrue(published["container"])
        self.rows(connection, "select 'statement-3'")
        e2e.wait_until(self.publish, "the rest is published")

        self.works("database log tail", "orders", "general")
        self.assertRegex(self.last.stdout, r"(?s)statement-0.*statement-3")
        self.ask("database log tail", "orders", "general", "--lines", "1")
        self.assertNotIn("statement-0", self.last.stdout)
        target = self.service.layout.root / "saved.log"
        self.works("database log save", "orders", "general", "--file", str(target))
        self.assertRegex(target.read_text(), r"(?s)statement-0.*statement-3")
        content = self.http.call("GET", f"/instances/{made['id']}/log/general/content", version="latest").text
        self.assertEqual(content, target.read_text())

    def publish(self) -> object:
        """Publish the log and return how it is then, ``None`` while something of it is left."""
        found = self.ask("database log set", "orders", "general", "--publish")
        return found if found["status"] == "Published" else None
