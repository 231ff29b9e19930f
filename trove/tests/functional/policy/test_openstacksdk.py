# SPDX-License-Identifier: Apache-2.0
"""openstacksdk's database proxy, unmodified, over HTTP: without authentication, with a password, and with Keystone."""

from typing import Any, ClassVar

import openstack
from openstack import exceptions as sdk

from trove.api import authn
from trove.api.app import make_app
from trove.api.server import ApiServer
from trove.tests.fixtures import keystone
from trove.tests.functional.api import base, world


class ProxyTest(world.InstanceTestCase):
    timeout: ClassVar[int] = 300

    def serve(self, conf: Any) -> str:
        """Serve the API on a port of its own and return its URL."""
        conf.set_override("bind_host", "127.0.0.1")
        conf.set_override("bind_port", 0)
        conf.set_override("default_datastore", "postgresql")
        server = ApiServer(conf, make_app(self.make_services(conf), conf))
        server.start()
        self.addCleanup(server.stop)
        return f"http://127.0.0.1:{server.port}"

    def connect(self, **options: Any) -> Any:
        """Return the SDK's database proxy; a connection made like this reads no files and no environment."""
        connection = openstack.connection.Connection(app_name="test", **options)
        self.addCleanup(connection.close)
        return connection.database

    def test_without_authentication(self) -> None:
        url = self.serve(self.new_conf(auth_strategy="noauth"))
        self.story(self.connect(auth_type="none", auth={"endpoint": f"{url}/v1.0/{base.PROJECT}"}))

    def test_with_a_password(self) -> None:
        path = self.tempdir() / "users.yaml"
        user = {"name": "me", "password": "p", "project_id": base.PROJECT, "roles": ["member"]}
        authn.write_users_file(path, [user])
        url = self.serve(self.new_conf(auth_strategy="http_basic", http_basic_auth_user_file=str(path)))
        auth = {"endpoint": f"{url}/v1.0/{base.PROJECT}", "username": "me", "password": "p"}
        self.story(self.connect(auth_type="http_basic", auth=auth))

    def test_with_keystone(self) -> None:
        cloud = self.useFixture(keystone.KeystoneFixture())
        url = self.serve(cloud.new_conf(self.tempdir()))
        cloud.register("database", f"{url}/v1.0/%(project_id)s")
        account = cloud.account("member")
        self.story(self.connect(auth_type="v3password", auth=cloud.auth(account), region_name=cloud.region))
        limited = cloud.application_credential(account)
        kind = "v3applicationcredential"
        proxy = self.connect(auth_type=kind, auth=cloud.auth(limited), region_name=cloud.region)
        self.assertEqual([], list(proxy.instances()))

    def test_with_keystone_and_a_url_without_a_project(self) -> None:
        cloud = self.useFixture(keystone.KeystoneFixture())
        url = self.serve(cloud.new_conf(self.tempdir()))
        cloud.register("database", f"{url}/v1.0")
        account = cloud.account("member")
        self.story(self.connect(auth_type="v3password", auth=cloud.auth(account), region_name=cloud.region))

    def story(self, proxy: Any) -> None:
        """Use every call of the proxy, in the order that a person would."""
        self.assertEqual({"small", "medium", "five"}, {flavor.name for flavor in proxy.flavors()})
        self.assertEqual("medium", proxy.get_flavor("medium").name)
        self.assertEqual("five", proxy.find_flavor("five").name)
        self.assertIsNone(proxy.find_flavor("huge"))

        made = proxy.create_instance(
            name="orders", flavor="small", volume={"size": 2}, datastore={"type": "postgresql", "version": "16"}
        )
        self.assertEqual("BUILD", made.status)
        self.settle()
        ready = proxy.wait_for_status(made, "ACTIVE", failures=["ERROR"], interval=1, wait=60)
        self.assertEqual(made.id, ready.id)
        self.assertEqual(made.id, proxy.find_instance("orders").id)
        self.assertEqual(["orders"], [instance.name for instance in proxy.instances()])
        self.assertEqual(2, proxy.get_instance(made.id).volume["size"])

        self.inside(proxy, made.id)
        self.actions(proxy, made.id)

        proxy.update_instance(made.id, name="renamed")
        self.assertEqual("renamed", proxy.get_instance(made.id).name)
        proxy.delete_instance(made.id)
        self.settle()
        self.assertRaises(sdk.NotFoundException, proxy.get_instance, made.id)
        self.assertIsNone(proxy.find_instance("renamed"))
        proxy.delete_instance(made.id, ignore_missing=True)

    def inside(self, proxy: Any, instance_id: str) -> None:
        """Databases and users; finding or getting one ends in the SDK itself (4.22), before anything is sent."""
        proxy.create_database(instance_id, name="shop")
        self.settle()
        self.assertEqual(["shop"], [database.name for database in proxy.databases(instance_id)])
        proxy.create_user(instance_id, name="app", password="secret", databases=[{"name": "shop"}])
        self.settle()
        self.assertEqual(["app"], [user.name for user in proxy.users(instance_id)])
        proxy.delete_user("app", instance_id)
        proxy.delete_database("shop", instance_id)
        self.settle()
        self.assertEqual([], [*proxy.users(instance_id), *proxy.databases(instance_id)])

    def actions(self, proxy: Any, instance_id: str) -> None:
        """What the SDK has as methods of the instance; it looks at no answer, so the workflows are looked at."""
        instance = proxy.get_instance(instance_id)
        self.assertFalse(instance.is_root_enabled(proxy))
        for change in (lambda: instance.restart(proxy), lambda: instance.resize(proxy, "medium"),
                       lambda: instance.resize_volume(proxy, 3)):  # fmt: skip
            change()
            self.settle()
        done = [row["kind"] for row in self.workflows(instance_id)]
        self.assertLessEqual({"instance.restart", "instance.resize_flavor", "instance.resize_volume"}, set(done))
        self.assertEqual(3, proxy.get_instance(instance_id).volume["size"])
