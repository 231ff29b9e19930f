# SPDX-License-Identifier: Apache-2.0
"""Places that are made ahead: an instance that gets one is like any other, and what nobody gets is gone in the end.

As root, and tier 1 then once more as an ordinary user. What a killed service leaves is made by a process of its own.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any
from unittest import mock

from trove.common import ids
from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import (
    cgroups,
    disks,
    isolation,
    making,
    network,
    privileges,
    processes,
    records,
    spares,
    warm,
)
from trove.providers.local.provider import LocalProvider, Surroundings
from trove.tests import base as tests
from trove.tests.contract.providers import leftovers, stub_program, suite, test_isolated, test_local, test_warm

#: The classes of this module that need no root.
_AS_ANYBODY = ("SpareContractTest", "SpareTest", "BoundsTest")
MIB = 2**20


class SpareTestCase(test_warm.WarmTestCase):
    """A provider with a place that is ready."""

    def setUp(self) -> None:
        self.enterContext(mock.patch.object(making, "QUIET", 0.05))
        super().setUp()

    def new_provider(self) -> LocalProvider:
        made = super().new_provider()
        made.supervise()
        self.place = self.ready_place(made)
        return made

    def same_provider(self) -> LocalProvider:
        return self.close_later(LocalProvider(self.base_dir, agent_argv=test_warm._ARGV, surroundings=self.around_it()))

    def around_it(self) -> Surroundings:
        return Surroundings(warm=stub_program.__name__, spare_places=1)

    def ready_place(self, provider: LocalProvider) -> spares.Place:
        """Wait for a place that nobody has claimed."""

        def found() -> spares.Place | None:
            provider._maker.tend()
            place = provider._shelf.place
            return place if place is not None and place.instance is None and place.waiting else None

        return self.until(found)

    def ensure(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        self.provider.ensure_server(self.server_spec())

    def clean_up(self) -> None:
        super().clean_up()
        self.provider.close()
        left = [str(path) for path in (self.base_dir / "spares").glob("*") if path.name not in ("volumes", "servers")]
        self.assertEqual([], left + [str(path) for path in (self.base_dir / "spares").glob("*/*")])


class IsolatedSpareTestCase(test_isolated.IsolatedTestCase, SpareTestCase):
    """The same in tier 2."""

    def new_provider(self) -> LocalProvider:
        made = test_isolated.IsolatedTestCase.new_provider(self)
        made.warm_up()
        self.until(lambda: made.spare)
        made.supervise()
        self.place = self.ready_place(made)
        return made

    def same_provider(self) -> LocalProvider:
        return SpareTestCase.same_provider(self)

    def around_it(self) -> Surroundings:
        around = isolation.make(self.base_dir)
        around.for_new = True
        return Surroundings(around, test_isolated.UNIT, warm=stub_program.__name__, spare_places=1)


class SpareContractTest(suite.ProviderContract, SpareTestCase):
    """The common contract, with a place for the first instance of each test and often for others."""


class IsolatedSpareContractTest(suite.ProviderContract, IsolatedSpareTestCase):
    """The common contract in tier 2."""


class SpareTest(SpareTestCase):
    """Who gets a place, in tier 1."""

    def test_instance_gets_all_of_it_and_looks_like_any_other(self) -> None:
        waiting = self.place.waiting.identity
        self.ensure()
        facts = self.facts()
        self.assertEqual((waiting.pid, self.place.address), (facts["pid"], self.address()))
        self.assertEqual([0, 1, 2], facts["descriptors"])
        self.assertEqual((facts["pid"], 0o077, "/dev/null"), (facts["session"], facts["umask"], facts["stdin"]))
        self.assertEqual(str(self.server_dir / "state"), facts["cwd"])
        self.assertEqual(list(waiting), [self.record()["pid"], self.record()["started"]])
        self.provider.close()
        fresh = self.make_another()
        self.assertEqual(set(fresh["environment"]), set(facts["environment"]))
        for key in ("uid", "groups", "no_new_privileges", "umask", "descriptors"):
            self.assertEqual(fresh[key], facts[key], key)

    def address(self) -> str:
        found = self.provider.find_port(self.tag("port"))
        self.assertIsNotNone(found)
        return found.address

    def test_waiting_process_knows_nothing_and_its_account_cannot_look_into_it(self) -> None:
        pid = self.place.waiting.identity.pid
        self.assertIsNone(processes.mark_of(pid))
        opened = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
        self.assertEqual(["/dev/null"] * 3, [name for name in opened if not name.startswith("socket:")])
        self.assertEqual(4, len(opened))
        if test_local.ROOT:
            status = Path(f"/proc/{pid}/status").read_text()
            account = privileges.find_account("nobody")
            self.assertIn(f"Uid:\t{account.uid}\t{account.uid}\t{account.uid}", status)
            self.assertIn("CapEff:\t0000000000000000", status)
            self.assertIn("NoNewPrivs:\t1", status)
            self.assertEqual(0, os.stat(f"/proc/{pid}/environ").st_uid)  # the kernel hides it from its account

    def test_only_one_of_many_gets_it(self) -> None:
        instances = [ids.new_id() for _ in range(8)]
        start = threading.Barrier(len(instances))

        def ask(instance_id: str) -> str:
            start.wait()
            return self.provider.ensure_port(self.port_spec(instance_id)).address

        with futures.ThreadPoolExecutor(len(instances)) as pool:
            given = list(pool.map(ask, instances))
        self.assertEqual(len(instances), len(set(given)))
        self.assertEqual(1, given.count(self.place.address))
        for instance_id in instances:
            self.provider.remove_port(self.tag("port", instance_id))

    def test_two_services_on_one_directory_have_a_place_each(self) -> None:
        other = self.same_provider()
        other.supervise()
        theirs = self.ready_place(other)
        self.assertNotEqual(self.place.address, theirs.address)
        self.provider.supervise()
        self.assertEqual(2, len(list((self.base_dir / "spares").glob("*.json"))))
        self.ensure()
        other.close()
        self.assertAlive(self.facts()["pid"])

    def test_server_on_the_volume_of_another_does_not_get_the_process(self) -> None:
        waiting = self.place.waiting.identity.pid
        self.provider.ensure_port(self.port_spec())
        another = ids.new_id()
        self.provider.ensure_volume(self.volume_spec(1, another))
        spec = self.server_spec()
        self.provider.ensure_server(spec.__class__(**{**vars(spec), "volume_tag": self.tag("volume", another)}))
        self.assertNotEqual(waiting, self.facts()["pid"])
        self.until(lambda: processes.identify(waiting) is None)

    def test_rest_of_a_place_goes_when_its_instance_does_not_come(self) -> None:
        waiting = self.place.waiting.identity.pid
        with mock.patch.object(spares, "PATIENCE", 0.1):
            self.provider.ensure_port(self.port_spec())
            self.until(lambda: processes.identify(waiting) is None)
        self.assertNotEqual(self.place.id, self.ready_place(self.provider).id)
        self.assertEqual(self.place.address, self.address())
        self.provider.remove_port(self.tag("port"))

    def test_process_that_was_killed_or_stopped_is_done_without(self) -> None:
        for number in (signal.SIGKILL, signal.SIGSTOP):
            waiting = self.ready_place(self.provider).waiting.identity.pid
            os.kill(waiting, number)
            with mock.patch.object(warm, "ANSWER", 0.2):
                facts = self.make_another()
            self.assertNotEqual(waiting, facts["pid"])
            self.assertIs(base.Status.READY, self.provider.find_server(self.tag("server")).status)

    def test_other_code_or_a_dead_process_means_another_place(self) -> None:
        os.kill(self.place.waiting.identity.pid, signal.SIGKILL)
        self.until(lambda: processes.identify(self.place.waiting.identity.pid) is None)
        self.provider.supervise()
        another = self.until(lambda: self.other_than(self.place))
        with mock.patch.object(warm, "stamp", autospec=True, return_value="the next release"):
            self.provider.supervise()
            self.until(lambda: self.provider.supervise() or self.other_than(another))

    def other_than(self, place: spares.Place) -> spares.Place | None:
        now = self.provider._shelf.place
        return now if now is not None and now.id != place.id and now.instance is None and now.waiting else None

    def test_agent_that_does_not_fit_starts_afresh_in_the_same_process(self) -> None:
        self.make_server(fresh=True)
        facts = self.facts()
        self.assertEqual(self.place.waiting, None)
        self.assertEqual(self.record()["pid"], facts["pid"])
        self.assertEqual([0, 1, 2], facts["descriptors"])

    def test_halt_removes_it(self) -> None:
        self.until(self.provider.halt)
        self.until(lambda: processes.identify(self.place.waiting.identity.pid) is None)
        self.assertIsNone(self.provider._shelf.place)


class BoundsTest(SpareTestCase):
    """When no place is made."""

    def test_not_wanted(self) -> None:
        self.provider.close()
        other = self.close_later(
            LocalProvider(self.base_dir, surroundings=Surroundings(warm=stub_program.__name__, spare_places=0))
        )
        other.supervise()
        self.assertIsNone(other._maker._thread)

    def test_not_by_who_does_not_supervise(self) -> None:
        self.assertIsNone(self.same_provider()._maker._thread)

    def test_host_without_memory(self) -> None:
        meminfo = self.tempdir() / "meminfo"
        meminfo.write_text("MemTotal: 9999999 kB\nMemAvailable: 1000 kB\n")
        with mock.patch.object(making, "_MEMORY", meminfo):
            self.assertFalse(self.provider._maker._room())
        self.assertTrue(self.provider._maker._room())

    def test_not_while_requests_come(self) -> None:
        with mock.patch.object(making, "QUIET", 100.0):
            self.make_server()
            self.assertGreater(self.provider._maker._pause(), 90.0)
        self.provider._maker._shelf.touch()


class IsolatedSpareTest(IsolatedSpareTestCase):
    """What is given away in tier 2."""

    def test_instance_gets_all_of_it(self) -> None:
        waiting = self.place.waiting.identity
        image = (self.place.volume / "disk.img").stat().st_ino
        with mock.patch.object(disks, "make", autospec=True, side_effect=AssertionError("a second file system")):
            self.ensure()
        facts = self.facts()
        self.assertEqual((waiting.pid, self.place.address), (facts["pid"], self.address()))
        self.assertEqual(image, self.image.stat().st_ino)
        self.assertEqual(test_isolated.UNIT, self.image.stat().st_size)
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{facts['pid']}/ns/net").st_ino)
        for group in self.record()["cgroups"]:
            pids = (Path(group) / "cgroup.procs").read_text().split()
            self.assertLessEqual({str(facts["pid"]), str(facts["engine"])}, set(pids))
        limits = [Path(group, "memory.limit_in_bytes") for group in self.record()["cgroups"]]
        self.assertIn(str(suite.SMALL.ram_mib * MIB), [path.read_text().strip() for path in limits if path.exists()])
        seen = Path(f"/proc/{facts['pid']}/mountinfo").read_text()
        self.assertIn(f"{self.instance_id}/data", seen)
        self.assertNotIn("spare", seen)
        self.provider.supervise()
        self.assertAlive(facts["pid"])
        found = self.data_dir.stat()
        self.assertEqual((self.provider._store.account.uid, 0o700), (found.st_uid, found.st_mode & 0o777))

    def test_larger_volume_is_grown_and_its_end_is_real(self) -> None:
        image = (self.place.volume / "disk.img").stat().st_ino
        self.provider.ensure_volume(self.volume_spec(3))
        self.assertEqual((image, 3 * test_isolated.UNIT), (self.image.stat().st_ino, self.image.stat().st_size))
        disks.require(self.image, self.data_dir)
        space = os.statvfs(self.data_dir)
        self.assertGreater(space.f_bavail * space.f_frsize, 3 * test_isolated.UNIT - 128 * MIB)
        fitted = test_isolated.VolumeTest.fill(self, self.data_dir, 3 * test_isolated.UNIT)
        self.assertGreater(fitted, 2 * test_isolated.UNIT)
        self.provider.remove_volume(self.tag("volume"))

    def test_much_larger_volume_is_made_for_its_size(self) -> None:
        with mock.patch.object(disks, "grow", autospec=True, side_effect=AssertionError("hundreds of groups")):
            self.provider.ensure_volume(self.volume_spec(17))
        self.assertEqual(17 * test_isolated.UNIT, self.image.stat().st_size)
        self.provider.remove_volume(self.tag("volume"))

    def test_rules_are_those_of_the_port(self) -> None:
        if base.Capability.ACCESS_RULES not in self.provider.capabilities:
            self.skipTest("nft is missing: apt install nftables")
        self.provider.ensure_port(self.port_spec())
        self.provider.set_access(self.tag("port"), base.Access(allowed_cidrs=("192.0.2.0/24",)))
        self.make_server()
        command = ["nsenter", f"--net={self.namespace}", "nft", "list", "ruleset"]
        self.assertIn("192.0.2.0/24", subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def test_disk_of_a_place_counts_against_nothing(self) -> None:
        used = (self.place.volume / "disk.img").stat().st_blocks * 512
        self.assertLess(used, 100 * MIB)
        space = os.statvfs(self.base_dir)
        # More than is free beside the place; others write to this disk too.
        size = space.f_bavail * space.f_frsize - disks.HOST_RESERVE + used // 2
        disks.require_space(self.base_dir / "volumes" / "x" / "disk.img", size)
        with mock.patch.object(disks, "HOST_RESERVE", 2**60):
            self.assertFalse(self.provider._maker._room())

    def test_network_that_somebody_has_removed_is_made_anew(self) -> None:
        self.around.network.remove(self.place.id)
        self.ensure()
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{self.facts()['pid']}/ns/net").st_ino)

    def test_interrupted_anywhere_a_repetition_ends_well(self) -> None:
        steps: list[tuple[Any, str]] = [
            (records, "write_file"), (network.Network, "adopt"), (network.kernel, "unbind"),
            (network.kernel, "rename_interface"), (records, "_put"), (records, "_commit"), (disks, "mount"),
            (cgroups.Cgroups, "adopt"), (cgroups.Cgroups, "make"), (warm.Waiting, "become"),
        ]  # fmt: skip
        for where, name in steps:
            for when in ("before", "after"):
                with self.subTest(step=name, when=when):
                    self.interrupt(where, name, when)

    def interrupt(self, where: Any, name: str, when: str) -> None:
        """Have the first call of ``name`` end the creation, as the end of its process would, and begin again."""
        self.instance_id = ids.new_id()
        self.ready_place(self.provider)
        real: Callable[..., Any] = getattr(where, name)
        ended = threading.Event()

        def broken(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread() or ended.is_set():
                return real(*args, **kwargs)
            ended.set()
            if when == "after":
                real(*args, **kwargs)
            raise KeyboardInterrupt

        with mock.patch.object(where, name, broken), contextlib.suppress(KeyboardInterrupt):
            self.ensure()
        self.assertTrue(ended.is_set())
        self.until(self.try_again)
        self.provider.supervise()
        facts = self.facts()
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{facts['pid']}/ns/net").st_ino)
        disks.require(self.image, self.data_dir)
        self.remove_server()
        self.provider.remove_volume(self.tag("volume"))
        self.provider.remove_port(self.tag("port"))

    def try_again(self) -> object:
        self.ensure()
        return self.ready(self.provider.find_server(self.tag("server")))


#: A service with a place, and as much of a creation as it is told; it prints a line and waits for its end.
_SERVICE = """
import json, sys, time
from pathlib import Path
from trove.providers import base
from trove.providers.local import isolation
from trove.providers.local.provider import LocalProvider, Surroundings
directory, tier, unit, program, argv, calls = json.loads(sys.argv[1])
around = isolation.make(Path(directory))
around.for_new = tier == 2
made = LocalProvider(Path(directory), agent_argv=argv, surroundings=Surroundings(around, unit, program, 1))
while not (made._shelf.place and made._shelf.place.waiting):
    made.supervise()
    time.sleep(0.05)
place = made._shelf.place
facts = {"id": place.id, "waiting": place.waiting.identity.pid, "address": place.address}
for name, kind, given in calls:
    getattr(made, name)(getattr(base, kind)(*given))
print(json.dumps(facts), flush=True)
sys.stdin.read()
"""


class KilledServiceTest(test_isolated.IsolatedTestCase):
    """Tier 2, after a service was killed between any two calls."""

    def killed(self, *calls: str) -> dict[str, Any]:
        """Run a service in a process, kill it, and return what its place was."""
        return self.ended(lambda service: service.kill(), *calls)

    def ended(self, end: Callable[[subprocess.Popen[bytes]], None], *calls: str) -> dict[str, Any]:
        given = {
            "ensure_port": ["PortSpec", [self.tag("port"), 15432]],
            "ensure_volume": ["VolumeSpec", [self.tag("volume"), 1]],
        }
        told = [str(self.base_dir), 2, test_isolated.UNIT, stub_program.__name__, test_warm._ARGV,
                [[name, *given[name]] for name in calls]]  # fmt: skip
        service = subprocess.Popen([sys.executable, "-c", _SERVICE, json.dumps(told)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)  # fmt: skip
        try:
            said = service.stdout.readline()
            self.assertTrue(said)
            facts: dict[str, Any] = json.loads(said)
            end(service)
            service.wait(30)
        finally:
            service.kill()
            service.wait()
            for stream in (service.stdin, service.stdout):
                stream.close()
        return facts

    def test_service_that_ends_in_order_leaves_nothing_of_it(self) -> None:
        place = self.ended(lambda service: service.stdin.close(), "ensure_port")
        self.until(lambda: processes.identify(place["waiting"]) is None)
        self.assertEqual({self.instance_id}, self.around.network.slugs())
        self.assertEqual(set(), self.around.trees().slugs())
        self.assertEqual([], [line for line in test_isolated.mounts() if place["id"] in line])
        self.assertEqual([], leftovers.left_loop_devices(self.base_dir / "spares"))
        self.assertEqual([], list((self.base_dir / "spares").glob("*.json")))
        self.provider.remove_port(self.tag("port"))

    def test_next_start_finishes_and_removes(self) -> None:
        for calls in ((), ("ensure_port",), ("ensure_volume",), ("ensure_port", "ensure_volume")):
            with self.subTest(calls=calls):
                self.instance_id = ids.new_id()
                place = self.killed(*calls)
                self.until(lambda place=place: processes.identify(place["waiting"]) is None)
                self.make_server()
                self.assertEqual("ensure_port" in calls, self.address() == place["address"])
                self.provider.supervise()
                self.assertEqual({self.instance_id}, self.around.network.slugs())
                self.assertEqual({self.instance_id}, self.around.trees().slugs())
                self.assertEqual([], [line for line in test_isolated.mounts() if place["id"] in line])
                self.assertEqual([], list((self.base_dir / "spares").glob("*.json")))
                self.assertAlive(self.facts()["pid"])
                self.remove_server()
                self.provider.remove_volume(self.tag("volume"))
                self.provider.remove_port(self.tag("port"))

    def test_down_removes_what_is_left(self) -> None:
        self.killed()
        self.until(self.provider.halt)
        self.assertNothingLeft()
        self.assertEqual([], list((self.base_dir / "spares").glob("*.json")))

    def test_half_made_place_is_removed(self) -> None:
        with self.provider._store.lock():
            free = next(self.around.network.addresses("x"))
            self.around.network.ensure("spare-half", free)
            self.around.trees().make(self.around.trees().plan("spare-half"), Shape(1, 512))
        directory = spares.directory(self.provider._store, "volume", "spare-half")
        directory.mkdir(parents=True)
        disks.make(directory / "disk.img", test_isolated.UNIT)
        disks.make_mountpoint(directory / "data")
        disks.mount(directory / "disk.img", directory / "data", privileges.Account("root", 0, 0))
        document = {"id": "spare-half", "address": free, "pid": 1, "started": 0, "boot": processes.boot_id()}
        spares.file(self.provider._store, "spare-half").write_text(json.dumps(document))
        self.provider.supervise()
        self.assertFalse(directory.exists())
        self.assertEqual(set(), self.around.network.slugs())
        self.assertEqual(set(), self.around.trees().slugs())


class OrdinaryUserTest(tests.FunctionalTestCase):
    """All of tier 1 once more without root."""

    def test_this_module_as_nobody(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("already an ordinary user")
        temporary = self.tempdir()
        account = privileges.find_account("nobody")
        os.chown(temporary, account.uid, account.gid)
        command = [sys.executable, "-P", "-m", "testtools.run", *(f"{__name__}.{name}" for name in _AS_ANYBODY)]
        argv = privileges.run_unprivileged_argv(command, user="nobody", writable_paths=[str(temporary)])
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), **privileges.python_environment()}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env=environment)
        self.assertEqual(0, done.returncode, done.stdout[-4000:] + done.stderr[-4000:])
        self.assertIn("OK", done.stdout)
