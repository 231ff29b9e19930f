# SPDX-License-Identifier: Apache-2.0
"""An engine version from an image, through the ordinary client, beside the engines of the host."""

import pathlib

from trove.common import ids
from trove.providers.local import processes
from trove.tests.contract.datastores import images
from trove.tests.e2e import base


class ImageTest(base.EndToEndTestCase):
    def test_life_of_an_instance_from_an_image(self) -> None:
        inside = [found for name, found in images.installed() if name == "postgresql"]
        if not inside:
            self.skipTest(f"no image with PostgreSQL in {images.DIRECTORY}; see {images.__name__}")
        version = inside[0].version
        service = self.standalone(f"[local]\nimage_dir = {images.DIRECTORY}\n")
        client = service.client
        made = client.run(
            "instance", "create", "old", "--flavor", "db.tiny", "--size", "1", "--datastore", "postgresql",
            "--datastore-version", version, "--databases", "shop", "--users", "app:secret",
        )  # fmt: skip
        shown = client.wait_active(made["id"])
        app = self.connect(shown, "shop", "app", "secret")
        self.assertIn(version, self.rows(app, "select version()")[0][0])
        self.rows(app, "create table t (n int)")
        self.rows(app, "insert into t values (42)")
        ((pid,),) = self.rows(app, "select pg_backend_pid()")
        release = pathlib.Path(f"/proc/{pid}/root/etc/os-release").read_text()
        self.assertEqual((inside[0].root / "etc/os-release").read_text(), release)

        service.command("down", "--keep-databases")
        self.assertEqual([(42,)], self.rows(app, "select n from t"))
        service.up()
        client.wait_active(made["id"])
        client.run("instance", "restart", "old", json_output=False)
        shown = client.wait_active(made["id"])
        app = self.connect(shown, "shop", "app", "secret")
        self.assertEqual([(42,)], self.rows(app, "select n from t"))

        uid = (service.layout.guests / "servers" / made["id"] / "state").stat().st_uid
        client.run("instance", "delete", "old", json_output=False)
        client.wait_gone(made["id"])
        owner = processes.Membership(ids.instance_tag(made["id"], "server"), (str(service.layout.root),), uid)
        self.assertEqual([], processes.find_members(owner))
