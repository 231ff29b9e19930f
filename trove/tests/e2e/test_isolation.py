# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL instance with its own address, limits and file system: what happens when it hits them, and how it heals.

Needs root and tier 2 of the local provider; the reason for skipping names what is missing. Every fill is bounded, and
the volume is proven to be mounted before the first byte.
"""

import json
import os
import pathlib
import signal
from typing import Any

import psycopg2

from trove.common import clock
from trove.providers.local import commands, disks, isolation, tiers
from trove.providers.local.records import Store
from trove.tests.contract.providers import leftovers
from trove.tests.e2e import base
from trove.tests.e2e.test_survival import agent_pid, create, engine_pid, process_parent, spare_pid

MIB = 2**20
#: MiB that a volume gets for each GiB: as small as XFS allows, and some room for PostgreSQL's first files.
UNIT_MIB = 350
_CONFIG = f"[local]\ntier = 2\nvolume_unit_mib = {UNIT_MIB}\n"
_ROW_MIB = 4


class IsolationTest(base.EndToEndTestCase):
    def setUp(self) -> None:
        super().setUp()
        self._require_tier(self.tempdir())
        self.service = self.standalone(_CONFIG)
        self.addCleanup(self.assertNothingLeft, isolation.make(self.service.layout.guests))
        self.addCleanup(self.service.command, "down")
        self.client = self.service.client
        self.instance_id = create(self.client, "isolated")
        self.shown = self.client.wait_active(self.instance_id)
        self.app = self.open()

    def _require_tier(self, directory: pathlib.Path) -> None:
        around = isolation.make(directory)
        missing = tiers.probe(around, Store(directory))
        if not missing or os.geteuid() == 0:
            around.network.remove_bridge()
        if missing:
            self.skipTest("; ".join(f"{name}: {why}" for name, why in missing.items()))

    def assertNothingLeft(self, around: isolation.Isolation) -> None:
        marks = (around.mark, f"tv{around.mark[6:12]}", around.network.bridge)
        network = commands.run("ip", "-br", "link") + commands.run("ip", "netns")
        self.assertEqual([], [mark for mark in marks if mark in network])
        self.assertNotIn(str(around.base_dir), pathlib.Path("/proc/self/mountinfo").read_text())
        self.assertEqual([], leftovers.left_loop_devices(around.base_dir))
        self.assertEqual([], [str(path) for path in around.trees().parents if path.exists()])

    def open(self) -> Any:
        return self.connect(self.client.instance(self.instance_id), "shop", "app", "app-password")

    @property
    def data_dir(self) -> pathlib.Path:
        return self.service.layout.guests / "volumes" / self.instance_id / "data"

    def groups(self) -> list[pathlib.Path]:
        record = self.service.layout.guests / "servers" / self.instance_id / "server.json"
        return [pathlib.Path(path) for path in json.loads(record.read_text())["cgroups"]]

    def reason(self, *statuses: str) -> str:
        """Wait for one of these operating statuses and return what the user reads about it."""

        def look() -> str | None:
            shown = self.client.instance(self.instance_id)
            return str(shown) if shown["operating_status"] in statuses else None

        return base.wait_until(look, f"operating status is one of {statuses}")

    def wait_healthy(self) -> None:
        self.shown = self.client.wait_active(self.instance_id)

    def resize_volume(self, size: int) -> None:
        wanted = {"resize": {"volume": {"size": size}}}
        self.client.call("POST", f"/instances/{self.instance_id}/action", wanted).raise_for_status()
        base.wait_until(lambda: self.client.instance(self.instance_id)["volume"]["size"] == size, "a larger volume")

    # the tests

    def test_address_limits_and_file_system_are_its_own(self) -> None:
        endpoint = self.shown["endpoints"][0]
        self.assertTrue(endpoint["address"].startswith("10.230."), endpoint)
        self.assertEqual(5432, endpoint["port"])
        self.assertEqual([(f"{endpoint['address']}/32",)], self.rows(self.app, "select inet_server_addr()::text"))
        ((client,),) = self.rows(self.app, "select host(inet_client_addr())")
        self.assertNotEqual("127.0.0.1", client)
        pid = engine_pid(self.service, self.instance_id)
        for group in self.groups():
            self.assertIn(str(pid), (group / "cgroup.procs").read_text().split())
        self.assertIn("isolation  tier 2", self.service.command("status").stdout)
        bootstrap = self.service.layout.guests / "servers" / self.instance_id / "state" / "bootstrap.json"
        document = json.loads(bootstrap.read_text())
        self.assertEqual(f"unix://{self.service.layout.guests}/gateway/socket", document["endpoint"])
        self.assertIsNone(document["ca"])
        agent = agent_pid(self.service, self.instance_id)
        loaded = pathlib.Path(f"/proc/{agent}/maps").read_text()
        self.assertNotIn("/lib-dynload/_ssl", loaded)  # no TLS is spoken, so none is loaded
        self.assertEqual(spare_pid(self.service), process_parent(agent))

        # The service dies and comes back; the database goes on, and is adopted with everything around it.
        self.service.kill()
        self.assertEqual([(1,)], self.rows(self.app, "select 1"))
        self.service.up()
        self.wait_healthy()
        self.assertEqual([(1,)], self.rows(self.app, "select 1"))
        self.assertEqual(pid, engine_pid(self.service, self.instance_id))

        # Its next agent has mounts of its own, and finds the engine's socket all the same.
        agent = agent_pid(self.service, self.instance_id)
        os.kill(agent, signal.SIGKILL)
        base.wait_until(lambda: agent_pid(self.service, self.instance_id) not in (0, agent), "there is another agent")
        databases = f"/instances/{self.instance_id}/databases"
        self.assertEqual(202, self.client.call("POST", databases, {"databases": [{"name": "later"}]}).status_code)
        base.wait_until(lambda: '"later"' in self.client.call("GET", databases).text, "the agent has made a database")
        self.assertEqual(pid, engine_pid(self.service, self.instance_id))

        # All of it goes away, and comes back with the same address and data.
        self.rows(self.app, "create table kept (n int)")
        self.service.command("down")
        self.assertFalse(os.path.ismount(self.data_dir))
        self.service.up()
        base.wait_until(lambda: os.path.ismount(self.data_dir), "the volume is mounted again")
        self.wait_healthy()  # perhaps by what was known before it went

        def answer() -> list[Any] | None:
            try:
                return [self.rows(self.open(), "select * from kept")]
            except psycopg2.OperationalError:  # it is starting
                return None

        self.assertEqual([[]], base.wait_until(answer, "the database answers"))

        self.client.run("instance", "delete", self.instance_id, json_output=False)
        self.client.wait_gone(self.instance_id)
        self.assertEqual([], list(self.service.layout.guests.rglob(f"*{self.instance_id}*")))

    def test_full_disk_is_told_and_heals_when_the_volume_grows(self) -> None:
        disks.require(self.data_dir.with_name("disk.img"), self.data_dir)
        pid = engine_pid(self.service, self.instance_id)
        self.rows(self.app, "create table filler (n serial, data bytea)")
        self.rows(self.app, "alter table filler alter data set storage external")
        stored = self.fill()
        self.assertGreater(stored, 10)

        told = self.reason("BLOCKED", "FAILED", "CRASHED", "ERROR")
        self.assertIn("data volume is full", told)
        self.assertIn("Resize the volume", told)
        # It dies on the full disk, perhaps over and over; what the user reads stays true, and nothing gets worse.
        os.kill(pid, signal.SIGKILL)
        for _ in range(8):
            clock.sleep(1)
            self.assertIn("data volume is full", self.reason("BLOCKED", "FAILED", "CRASHED", "ERROR"))

        self.resize_volume(2)
        self.wait_healthy()
        app = self.open()
        self.assertEqual([(stored,)], self.rows(app, "select count(*) from filler"))
        self.assertEqual([(0,)], self.rows(app, f"select count(*) from filler where length(data) <> {_ROW_MIB * MIB}"))
        self.rows(app, "insert into filler (data) values ('x')")
        self.addDetail("pids", base.base.testtools.content.text_content(
            f"{pid} -> {engine_pid(self.service, self.instance_id)}"
        ))

    def fill(self) -> int:
        """Insert rows until PostgreSQL says that the disk is full; return how many it acknowledged. Bounded by what
        two volumes of this size could hold."""
        stored = 0
        row = psycopg2.Binary(os.urandom(_ROW_MIB * MIB))
        while stored < 2 * UNIT_MIB // _ROW_MIB:
            try:
                with self.app.cursor() as cursor:
                    cursor.execute("insert into filler (data) values (%s)", (row,))
                stored += 1
            except psycopg2.Error as err:
                self.addDetail("full", base.base.testtools.content.text_content(str(err)))
                return stored
        raise AssertionError(f"{stored} rows of {_ROW_MIB} MiB fitted")

    def test_volume_grows_under_a_running_engine(self) -> None:
        pid = engine_pid(self.service, self.instance_id)
        self.rows(self.app, "create table t as select generate_series(1, 1000) n")
        self.resize_volume(2)
        self.wait_healthy()
        found = os.statvfs(self.data_dir)
        self.assertGreater(found.f_blocks * found.f_frsize, (2 * UNIT_MIB - 100) * MIB)
        self.assertEqual([(1000,)], self.rows(self.app, "select count(*) from t"))  # the same connection
        self.assertEqual(pid, engine_pid(self.service, self.instance_id))

    def test_out_of_memory_is_told_and_heals(self) -> None:
        group = next(path for path in self.groups() if (path / "memory.limit_in_bytes").exists()
                     or (path / "memory.max").exists())  # fmt: skip
        kills, pid = self.kills(group), engine_pid(self.service, self.instance_id)
        self.rows(self.app, "create table t as select generate_series(1, 1000) n")
        greedy = "select array_agg(repeat(md5(i::text), 100)) from generate_series(1, 400000) i"  # 1.2 GiB of 512 MiB
        statement = f"select cardinality(a) from ({greedy}) q (a)"
        self.assertRaises(psycopg2.OperationalError, self.rows, self.app, statement)
        self.assertGreater(self.kills(group), kills)
        told = base.wait_until(
            lambda: self.client.instance(self.instance_id).get("service_status_reason"), "there is a remark"
        )
        self.assertIn("ran out of memory", told)
        self.assertIn("larger flavor", told)
        self.wait_healthy()
        self.assertEqual([(1000,)], self.rows(self.open(), "select count(*) from t"))
        self.assertEqual(pid, engine_pid(self.service, self.instance_id))  # it came back by itself

    def test_server_that_keeps_ending_is_told_and_heals(self) -> None:
        self.rows(self.app, "create table t as select generate_series(1, 1000) n")
        control_file = self.data_dir / "pgdata" / "global" / "pg_control"
        control_file.rename(control_file.with_name("pg_control.aside"))  # no server starts without
        os.kill(engine_pid(self.service, self.instance_id), signal.SIGKILL)
        told = self.reason("FAILED")
        self.assertIn("within 300 seconds", told)
        self.assertIn("its log says why", told)
        control_file.with_name("pg_control.aside").rename(control_file)
        self.wait_healthy()  # it is tried again once in a while
        self.assertEqual([(1000,)], self.rows(self.open(), "select count(*) from t"))

    @staticmethod
    def kills(group: pathlib.Path) -> int:
        for name in ("memory.oom_control", "memory.events"):
            if (group / name).exists():
                found = dict(line.split() for line in (group / name).read_text().splitlines())
                return int(found.get("oom_kill", 0))
        raise AssertionError("no count of killed processes")
