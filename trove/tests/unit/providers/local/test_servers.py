# SPDX-License-Identifier: Apache-2.0
"""What becomes of a server's record, with agents that are only said to run; the contract suite starts real ones."""

import dataclasses
import itertools
import json
import signal
from typing import Any
from unittest import mock

from trove.common import clock, ids
from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import agent_health, processes, servers
from trove.providers.local.images.store import Images
from trove.providers.local.records import Store
from trove.providers.local.volumes import Volumes
from trove.tests import base as tests
from trove.wire.bootstrap import Bootstrap

SMALL = Shape(vcpus=1, ram_mib=512)


class ServersTest(tests.UnitTestCase):
    """A table of processes in memory stands for that of the host."""

    def setUp(self) -> None:
        super().setUp()
        self.now = 1000.0
        self.living: dict[int, processes.Identity] = {}
        self.signals: list[tuple[int, signal.Signals]] = []
        for where, name, stand_in in (
            (clock, "monotonic", lambda: self.now),
            (processes, "boot_id", lambda: "boot-1"),
            (processes, "is_alive", lambda identity: self.living.get(identity.pid) == identity),
            (processes, "mark_of", lambda _pid: ""),
            (processes.Membership, "owns", lambda _membership, _pid: True),
            (processes, "find_members", lambda _membership: list(self.living.values())),
            (processes, "find_agent", lambda _membership, _marker: next(iter(self.living.values()), None)),
            (processes, "signal_members", self.signal),
            (processes.Spawner, "spawn", self.spawn),
            (processes.Spawner, "exit_status", lambda _spawner, _identity: self.exit_status),
        ):
            self.enterContext(mock.patch.object(where, name, stand_in))
        self.exit_status: int | None = None
        self.instance_id = ids.new_id()
        self.store = Store(self.tempdir())
        self.volumes = Volumes(self.store)
        self.volumes.ensure(base.VolumeSpec(self.tag("volume"), 3))
        self.store.write("port", {"tag": self.tag("port"), "address": "127.64.0.1", "port": 1, "network": None})
        self.servers = self.same_servers()

    def same_servers(self) -> servers.Servers:
        return servers.Servers(self.store, self.volumes, Images(self.tempdir()), ["agent"])

    def tag(self, part: str) -> str:
        return ids.instance_tag(self.instance_id, part)

    def spawn(self, *_arguments: Any) -> processes.Identity:
        pid = 100 + len(self.living) + int(self.now)
        self.living[pid] = processes.Identity(pid, int(self.now))
        return self.living[pid]

    def signal(self, members: list[processes.Identity], number: signal.Signals) -> None:
        self.signals += [(member.pid, number) for member in members]
        if number == signal.SIGKILL:
            for member in members:
                self.living.pop(member.pid, None)

    def spec(self, **changes: Any) -> base.ServerSpec:
        document = Bootstrap(
            instance_id=self.instance_id, datastore_manager="none", datastore_version="1", transport="gateway",
            endpoint="http://127.0.0.1:9", one_time_key="5a" * 32, data_dir="", state_dir="", options={},
        )  # fmt: skip
        made = base.ServerSpec(self.tag("server"), "n", SMALL, self.tag("port"), self.tag("volume"), "none",
                               bootstrap=json.dumps(document.to_wire()).encode())  # fmt: skip
        return dataclasses.replace(made, **changes)

    def record(self) -> dict[str, Any]:
        found = self.store.read("server", self.tag("server"))
        self.assertIsNotNone(found)
        return found

    def status(self) -> base.Status:
        found = self.servers.find(self.tag("server"))
        self.assertIsNotNone(found)
        return found.status

    def test_made_once_and_adopted_by_another_process(self) -> None:
        self.assertIs(base.Status.READY, self.servers.ensure(self.spec()).status)
        self.assertIs(base.Status.READY, self.same_servers().ensure(self.spec()).status)
        self.assertEqual(1, len(self.living))
        self.assertEqual(next(iter(self.living)), self.record()["pid"])

    def test_what_it_needs_must_exist(self) -> None:
        for change in ({"port_tag": "x"}, {"volume_tag": "x"}, {"availability_zone": "elsewhere"}):
            self.assertRaises(base.NotFoundError, self.servers.ensure, self.spec(**change))
        self.assertIsNone(self.servers.find(self.tag("server")))
        self.assertEqual({}, self.living)

    def test_second_of_a_group_that_keeps_apart(self) -> None:
        group = base.ServerGroup("g", "anti-affinity")
        self.servers.ensure(self.spec(group=group))
        self.assertEqual([self.tag("server")], self.servers.grouped("g"))
        self.assertRaises(base.QuotaError, self.servers.ensure, self.spec(tag="another", group=group))
        self.servers.ensure(self.spec(tag="third", group=base.ServerGroup("g", "affinity")))

    def test_agent_that_ends_at_once_is_started_with_growing_pauses_until_it_counts_as_failed(self) -> None:
        self.servers.ensure(self.spec())
        starts = []
        for _ in range(200):
            if self.living:
                starts.append(self.now)
                self.living.clear()
            self.servers.supervise()
            self.now += 1.0
        pauses = [int(after - before) for before, after in itertools.pairwise(starts)]
        self.assertEqual(sorted(pauses), pauses)
        self.assertEqual(agent_health.STARTS.cap + 1, pauses[-1])
        self.assertIs(base.Status.FAILED, self.status())

    def test_end_that_only_an_operator_can_help(self) -> None:
        self.servers.ensure(self.spec())
        self.living.clear()
        self.exit_status = 74
        self.now += 1000.0
        self.servers.ensure(self.spec())  # looks at the end, and starts nothing
        self.assertIs(base.Status.FAILED, self.status())
        self.assertIn("journal", self.servers.find(self.tag("server")).detail)
        self.assertEqual({}, self.living)

    def test_boot_of_the_host_forgives(self) -> None:
        self.servers.ensure(self.spec())
        self.living.clear()
        record = self.record() | {"quick_ends": 9, "boot": "boot-0"}
        self.store.write("server", record)
        self.servers.supervise()
        self.assertIs(base.Status.READY, self.status())
        self.assertEqual(0, self.record()["quick_ends"])

    def test_removal_asks_before_it_kills(self) -> None:
        self.servers.ensure(self.spec())
        pid = self.record()["pid"]
        self.assertIs(False, self.servers.remove(self.tag("server")))
        self.assertRaises(base.RetryableError, self.servers.ensure, self.spec())
        self.assertRaises(base.RetryableError, self.servers.resize, self.tag("server"), SMALL)
        self.now += servers.GRACE
        self.assertIs(False, self.servers.remove(self.tag("server")))
        self.assertIs(True, self.servers.remove(self.tag("server")))
        self.assertEqual([(pid, signal.SIGTERM), (pid, signal.SIGKILL)], self.signals)
        self.assertIs(True, self.servers.remove(self.tag("server")))
        self.assertFalse(self.store.directory("server", self.tag("server")).exists())

    def test_supervision_does_not_bring_back_what_is_being_removed(self) -> None:
        self.servers.ensure(self.spec())
        self.servers.remove(self.tag("server"))
        self.living.clear()
        self.servers.supervise()
        self.assertEqual({}, self.living)

    def test_restart_goes_on_in_any_process(self) -> None:
        self.servers.ensure(self.spec())
        before = self.record()["pid"]
        self.assertIs(base.Status.PENDING, self.servers.restart(self.tag("server")).status)
        self.now += servers.GRACE
        other = self.same_servers()
        other.supervise()
        other.supervise()
        self.assertIs(base.Status.READY, self.status())
        self.assertNotEqual(before, self.record()["pid"])
        self.assertRaises(base.NotFoundError, self.servers.restart, "absent")

    def test_resize_is_written_down(self) -> None:
        self.servers.ensure(self.spec())
        large = Shape(vcpus=2, ram_mib=2048)
        self.assertEqual(large, self.servers.resize(self.tag("server"), large).shape)
        self.assertEqual(large, self.same_servers().find(self.tag("server")).shape)

    def test_halt_keeps_records_and_tells_what_is_left(self) -> None:
        self.servers.ensure(self.spec())
        self.assertEqual({self.tag("server"): "its processes have not ended"}, self.servers.halt())
        self.now += servers.GRACE
        self.servers.halt()
        self.assertEqual({}, self.servers.halt())
        self.servers.supervise()
        self.assertIs(base.Status.READY, self.status())
