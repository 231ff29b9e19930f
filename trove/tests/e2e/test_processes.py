# SPDX-License-Identifier: Apache-2.0
"""The service as processes of its own: nothing may assume that it shares a process with anything else."""

from typing import Any

import requests

from trove.common import clock
from trove.tests.e2e import base
from trove.tests.e2e.cloud import Cloud
from trove.tests.e2e.test_survival import create


class _Processes:
    """The story of both transports."""

    transport: str

    def _cloud(self: Any) -> Cloud:
        cloud = Cloud(self.tempdir() / "cloud", self.transport)

        def attach(_exc_info: Any) -> None:
            for path in sorted(cloud.root.glob("*.log")) + sorted(cloud.root.glob("guests/servers/*/*.log")):
                tail = "\n".join(path.read_text(errors="replace").splitlines()[-150:])
                self.addDetail(str(path.relative_to(cloud.root)), base.base.testtools.content.text_content(tail))

        self.addOnException(attach)
        return self.useFixture(cloud)

    def _one_taskmanager_dies(self: Any, cloud: Cloud, instance_id: str) -> None:
        owner = base.wait_until(lambda: cloud.owner(instance_id), "a taskmanager has claimed the creation", pause=0.002)
        cloud.kill(owner)
        self.assertNotEqual("ACTIVE", cloud.client.instance(instance_id)["status"])

    def test_story(self: Any) -> None:
        cloud = self._cloud()
        client = cloud.client
        first = create(client, "first")
        shown = client.wait_active(first)
        app = self.connect(shown, "shop", "app", "app-password")
        self.rows(app, "create table t as select 5 as n")

        second = create(client, "second")
        self._one_taskmanager_dies(cloud, second)
        client.wait_active(second)

        answer = client.call("POST", f"/instances/{first}/action", {"restart": {}})
        self.assertEqual(requests.codes.accepted, answer.status_code)
        clock.sleep(0.5)
        shown = client.wait_active(first)
        app = self.connect(shown, "shop", "app", "app-password")
        self.assertEqual([(5,)], self.rows(app, "select n from t"))
        self.assertEqual(["shop"], [r["Name"] for r in client.run("db", "list", "first")])

        for instance_id in (first, second):
            self.assertEqual(requests.codes.accepted, client.call("DELETE", f"/instances/{instance_id}").status_code)
        for instance_id in (first, second):
            client.wait_gone(instance_id)
        self.assertEqual([], list((cloud.root / "guests" / "servers").iterdir()))


class GatewayProcessesTest(_Processes, base.EndToEndTestCase):
    transport = "gateway"


class MessagingProcessesTest(_Processes, base.EndToEndTestCase):
    transport = "messaging"
