# SPDX-License-Identifier: Apache-2.0
# covers: trove/providers/local/isolation.py
# covers: trove/providers/local/launch.py
# covers: trove/providers/local/volume_check.py
"""The provider contract against tier 2 of the local provider, and what only this tier promises.

Needs root and everything :mod:`trove.providers.local.tiers` looks for; otherwise the reason for skipping says what is
missing. All networks are namespaces of the tests' own, all file systems are files in temporary directories.
"""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar
from unittest import mock

from trove.common import ids
from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import commands, disks, isolation, servers, tiers
from trove.providers.local.provider import LocalProvider, Settings
from trove.tests.contract.providers import leftovers, suite, test_local

MIB = 2**20
#: A "GiB" of these tests: as small as XFS allows, because disks are filled here.
UNIT = 320 * MIB


class IsolatedTestCase(test_local.LocalTestCase):
    """A provider in tier 2 that leaves nothing on the host."""

    _missing: ClassVar[dict[str, str] | None] = None

    def new_provider(self) -> LocalProvider:
        self.base_dir = self.tempdir() / "trove"
        self.around = isolation.make(self.base_dir)
        provider = self.same_provider()
        if IsolatedTestCase._missing is None:
            IsolatedTestCase._missing = tiers.probe(self.around, provider._store)
        if IsolatedTestCase._missing:
            self.around.for_new = False
            self.addCleanup(provider.halt)
            self.skipTest("; ".join(f"{name}: {why}" for name, why in IsolatedTestCase._missing.items()))
        self.addCleanup(self.assertNothingLeft)
        return provider

    def same_provider(self) -> LocalProvider:
        around = isolation.make(self.base_dir)
        around.for_new = True
        stub = [sys.executable, "-I", "-S", str(test_local.STUB)]
        return LocalProvider(self.base_dir, agent_argv=stub, settings=Settings(around, UNIT))

    def clean_up(self) -> None:
        super().clean_up()
        with mock.patch.object(servers, "GRACE", 0.0):
            self.until(self.provider.halt)

    def assertNothingLeft(self) -> None:
        """Nothing of this provider is on the host but files."""
        mark = self.around.mark
        self.assertEqual([], [name for name in listed("/run/netns") if name.startswith(mark)])
        cables = [name for name in listed("/sys/class/net") if name.startswith(("tv" + mark[6:12], "trv" + mark[6:]))]
        self.assertEqual([], cables)
        self.assertEqual([], [line for line in mounts() if str(self.base_dir) in line])
        self.assertEqual([], leftovers.left_loop_devices(self.base_dir))
        self.assertEqual([], [str(path) for path in self.around.trees().parents if path.exists()])

    @property
    def data_dir(self) -> Path:
        return self.base_dir / "volumes" / self.instance_id / "data"

    @property
    def image(self) -> Path:
        return self.data_dir.with_name("disk.img")

    @property
    def namespace(self) -> Path:
        return self.around.network.namespace(self.instance_id)

    def address(self) -> str:
        port = self.provider.find_port(self.tag("port"))
        self.assertIsNotNone(port)
        return port.address

    def inside(self, code: str, *arguments: str, instance_id: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python in the namespace of an instance."""
        namespace = self.around.network.namespace(instance_id or self.instance_id)
        command = ["nsenter", f"--net={namespace}", sys.executable, "-I", "-S", "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def listed(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


class IsolatedContractTest(suite.ProviderContract, IsolatedTestCase):
    """The common contract."""

    def test_interface(self) -> None:
        super().test_interface()
        self.assertIn(base.Capability.REAL_VOLUME_SIZE, self.provider.capabilities)


class ServerTest(IsolatedTestCase):
    """What is around an agent."""

    def test_agent_is_confined_and_ordinary(self) -> None:
        self.make_server()
        facts = self.facts()
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{facts['pid']}/ns/net").st_ino)
        self.assertTrue(facts["no_new_privileges"])
        self.assertNotEqual(0, facts["uid"])
        for group in self.record()["cgroups"]:
            pids = (Path(group) / "cgroup.procs").read_text().split()
            self.assertLessEqual({str(facts["pid"]), str(facts["engine"])}, set(pids))

    def test_limits_are_those_of_the_flavor_and_follow_it(self) -> None:
        self.make_server()
        for shape in (suite.SMALL, suite.LARGE):
            self.provider.resize_server(self.tag("server"), shape)
            found = [
                (Path(group) / name).read_text().strip()
                for group in self.record()["cgroups"]
                for name in ("memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "pids.max")
                if (Path(group) / name).exists()
            ]
            self.assertLessEqual({str(shape.ram_mib * MIB)}, set(found))
            if self.around.trees().version == 1:
                expected = [shape.ram_mib * MIB, shape.vcpus * 100000, 1024 + shape.ram_mib // 2]
                self.assertEqual([str(value) for value in expected], found)

    def test_smaller_limit_waits_for_the_memory_in_use(self) -> None:
        self.make_server()
        record = self.record()
        hog = "import sys; x = bytearray(200 * 2**20); print('full', flush=True); sys.stdin.read()"
        child = subprocess.Popen([sys.executable, "-c", hog], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 preexec_fn=lambda: join(record["cgroups"]))  # noqa: PLW1509 — one thread
        self.assertEqual(b"full\n", child.stdout.readline())
        tiny = dataclasses.replace(suite.SMALL, ram_mib=64)
        self.assertEqual(tiny, self.provider.resize_server(self.tag("server"), tiny).shape)
        self.assertIsNone(child.poll())
        self.assertFalse(self.around.fit({**record, "shape": dataclasses.asdict(tiny)}))
        child.communicate()
        self.until(lambda: self.provider.supervise() or self.around.fit({**record, "shape": dataclasses.asdict(tiny)}))

    def test_host_and_instance_reach_each_other(self) -> None:
        self.make_server()
        serve = (
            "import socket, sys\ns = socket.create_server((sys.argv[1], 15432)); s.settimeout(10)\n"
            "print('up', flush=True)\nc, peer = s.accept(); c.sendall(peer[0].encode())"
        )
        server = subprocess.Popen(["nsenter", f"--net={self.namespace}", sys.executable, "-c", serve, self.address()],
                                  stdout=subprocess.PIPE)  # fmt: skip
        self.addCleanup(server.communicate)
        self.assertEqual(b"up\n", server.stdout.readline())
        with socket.create_connection((self.address(), 15432), 5) as connection:
            self.assertEqual(self.around.network.host_address(), connection.recv(100).decode())
        with socket.create_server((self.around.network.host_address(), 0)) as listener:
            port = str(listener.getsockname()[1])
            done = self.inside(tiers._CONNECT, self.around.network.host_address(), port)
            self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_instances_meet_on_the_bridge_and_nowhere_else(self) -> None:
        self.make_server()
        first, first_address = self.instance_id, self.address()
        self.addCleanup(setattr, self, "instance_id", first)
        self.instance_id = ids.new_id()
        try:
            self.make_server()
            where = (self.address(), 15432)
            serve = f"import socket; s = socket.create_server({where}); s.settimeout(10); s.accept()"
            server = subprocess.Popen(["nsenter", f"--net={self.namespace}", sys.executable, "-c", serve])
            address = self.address()
            self.until(lambda: not self.inside(tiers._CONNECT, address, "15432", instance_id=first).returncode)
            server.wait(10)
            # Their loopbacks are their own, and there is no way out.
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = str(listener.getsockname()[1])
                self.assertIn("refused", self.inside(tiers._CONNECT, "127.0.0.1", port).stderr)
            self.assertIn("unreachable", self.inside(tiers._CONNECT, "192.0.2.1", "80").stderr)
            self.assertNotEqual(first_address, address)
        finally:
            self.remove_server()
            self.provider.remove_volume(self.tag("volume"))
            self.provider.remove_port(self.tag("port"))

    def test_agent_sees_no_other_volume(self) -> None:
        first = self.instance_id
        self.make_server()
        pid = self.facts()["pid"]
        self.addCleanup(setattr, self, "instance_id", first)
        self.instance_id = ids.new_id()
        self.make_server()
        facts = self.facts()
        seen = Path(f"/proc/{facts['pid']}/mountinfo").read_text()
        self.assertIn(f"{self.instance_id}/data", seen)
        self.assertNotIn(first, seen)
        self.assertNotIn("/run/netns/", seen)
        # And so the first can go while the second stays.
        self.instance_id, second = first, self.instance_id
        self.remove_server()
        self.provider.remove_volume(self.tag("volume"))
        self.provider.remove_port(self.tag("port"))
        self.assertGone(pid)
        self.assertEqual([], [line for line in [*mounts(), *listed("/run/netns")] if first in line])
        self.assertEqual([], leftovers.left_loop_devices(self.base_dir / "volumes" / first))
        self.instance_id = second
        self.assertAlive(facts["pid"])
        self.remove_server()

    def test_stray_process_in_the_groups_ends_with_the_server(self) -> None:
        self.make_server()
        record = self.record()
        stray = subprocess.Popen(["/bin/sleep", "600"], preexec_fn=lambda: join(record["cgroups"]))  # noqa: PLW1509
        self.addCleanup(stray.wait)
        self.addCleanup(stray.kill)
        self.until(lambda: self.provider.remove_server(self.tag("server")) or stray.poll())
        self.assertEqual(-signal.SIGTERM, stray.wait(5))
        self.remove_server()

    def test_lost_network_is_mended(self) -> None:
        self.make_server()
        before = self.facts()
        commands.run("ip", "netns", "del", self.namespace.name)
        self.until(lambda: self.provider.supervise() or self.around.network.complete(self.instance_id))
        after = self.facts(not_pid=before["pid"])
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{after['pid']}/ns/net").st_ino)

    def test_leftovers_without_a_record_are_removed_and_others_stay(self) -> None:
        self.make_server()
        with self.provider._store.lock():
            free = next(a for a in self.around.network.addresses("x") if a != self.address())
            self.around.network.ensure("left-by-a-crash", free)
            self.around.trees().make(self.around.trees().plan("left-by-a-crash"), Shape(1, 512))
            self.around.network.namespace("half-made").touch()
        self.provider.supervise()
        self.assertEqual({self.instance_id}, self.around.network.slugs())
        self.assertEqual({self.instance_id}, self.around.trees().slugs())
        self.assertAlive(self.facts()["pid"])


class VolumeTest(IsolatedTestCase):
    """File systems of a size."""

    def make_volume(self, size: int = 1) -> Path:
        self.provider.ensure_volume(self.volume_spec(size))
        disks.require(self.image, self.data_dir)
        return self.data_dir

    def remove_volume(self) -> None:
        self.provider.remove_volume(self.tag("volume"))

    def fill(self, directory: Path, limit: int) -> int:
        """Write at most ``limit`` bytes into a mounted volume until it is full; return how many fitted."""
        disks.require(self.image, directory)
        written = 0
        with open(directory / "ballast", "ab", buffering=0) as stream:
            while written < limit:
                try:
                    written += stream.write(bytes(MIB))
                except OSError as err:
                    self.assertEqual(28, err.errno)  # ENOSPC
                    return written
        raise AssertionError(f"{written} bytes fitted")

    def test_full_disk_is_real_and_growth_makes_room_under_an_open_file(self) -> None:
        directory = self.make_volume()
        host = os.statvfs(self.base_dir)
        with open(directory / "open", "wb") as stream:
            stream.write(b"before")
            stream.flush()
            fitted = self.fill(directory, UNIT)
            self.assertGreater(fitted, 150 * MIB)
            self.provider.ensure_volume(self.volume_spec(2))
            self.assertGreater(os.statvfs(directory).f_bavail * 4096, UNIT - 64 * MIB)
            stream.write(b" and after")
        self.assertEqual(b"before and after", (directory / "open").read_bytes())
        self.assertLess(host.f_bavail * host.f_frsize - os.statvfs(self.base_dir).f_bavail * host.f_frsize, 4 * UNIT)
        self.remove_volume()

    def test_nobody_can_write_where_no_volume_is_mounted(self) -> None:
        directory = self.make_volume()
        disks.unmount(self.image, directory)
        self.assertEqual((0, 0), (directory.stat().st_uid, directory.stat().st_mode & 0o777))
        self.assertIs(base.Status.PENDING, self.provider.find_volume(self.tag("volume")).status)
        self.assertRaises(disks.NotMounted, disks.require, self.image, directory)
        self.assertIs(base.Status.READY, self.provider.ensure_volume(self.volume_spec()).status)
        self.remove_volume()

    def test_server_does_not_start_without_its_volume(self) -> None:
        self.provider.ensure_port(self.port_spec())
        directory = self.make_volume()
        disks.unmount(self.image, directory)
        self.image.rename(self.image.with_name("elsewhere"))
        err = self.assertRaises(base.RetryableError, self.provider.ensure_server, self.server_spec())
        self.assertIn("vanished", str(err))
        self.assertFalse((self.server_dir / "state" / "facts.json").exists())
        self.image.with_name("elsewhere").rename(self.image)
        self.assertIs(base.Status.READY, self.provider.ensure_server(self.server_spec()).status)

    def test_another_mount_in_the_way_is_refused(self) -> None:
        self.provider.ensure_port(self.port_spec())
        directory = self.make_volume()
        disks.unmount(self.image, directory)
        commands.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory))
        try:
            err = self.assertRaises(disks.NotMounted, self.provider.ensure_server, self.server_spec())
            self.assertIn("something else", str(err))
        finally:
            commands.run("umount", str(directory))

    def test_half_made_file_is_never_used(self) -> None:
        with mock.patch.object(disks.os, "fsync", autospec=True, side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, disks.make, self.tempdir() / "x.img", UNIT)
        with mock.patch.object(disks.commands, "run", autospec=True, side_effect=commands.ToolError("killed", -9)):
            self.assertRaises(base.RetryableError, self.provider.ensure_volume, self.volume_spec())
        self.assertFalse(self.image.exists())
        self.image.with_name(".disk.img.new").write_bytes(b"half")  # left by a crash
        self.make_volume()
        self.assertEqual(UNIT, self.image.stat().st_size)
        self.remove_volume()

    def test_mounted_again_after_a_boot_of_the_host(self) -> None:
        self.make_server()
        (self.data_dir / "kept").write_text("kept")
        with mock.patch.object(servers, "GRACE", 0.0):
            self.until(self.provider.halt)
        self.assertNothingLeft()
        self.until(lambda: self.provider.supervise() or self.ready(self.provider.find_server(self.tag("server"))))
        disks.require(self.image, self.data_dir)
        self.assertEqual("kept", (self.data_dir / "kept").read_text())
        self.assertTrue(self.around.network.complete(self.instance_id))

    def test_one_file_is_never_behind_two_devices(self) -> None:
        self.make_server()
        self.facts()  # its mount namespace has the volume, whatever the host does
        commands.run("umount", str(self.data_dir))
        before = disks.loop_devices(self.image)
        self.assertEqual(1, len(before))
        self.provider.ensure_volume(self.volume_spec(2))
        self.assertEqual(before, disks.loop_devices(self.image))

    def test_volume_in_use_by_another_namespace_is_not_deleted(self) -> None:
        directory = self.make_volume()
        sleeper = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sleep", "600"])
        self.until(lambda: os.readlink(f"/proc/{sleeper.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"))
        try:
            with mock.patch.object(disks, "_SETTLE", 0.2):
                err = self.assertRaises(base.RetryableError, self.remove_volume)
            self.assertIn("another mount namespace", str(err))
            self.assertTrue(self.image.exists())
            self.assertFalse(os.path.ismount(directory))
        finally:
            sleeper.kill()
            sleeper.wait()
        self.remove_volume()
        self.assertFalse(self.image.exists())

    def test_busy_volume_is_not_unmounted_lazily(self) -> None:
        directory = self.make_volume()
        with open(directory / "open", "wb"):
            err = self.assertRaises(base.RetryableError, self.remove_volume)
        self.assertIn("in use", str(err))
        disks.require(self.image, directory)
        self.remove_volume()

    def test_host_without_room_is_told_before_anything_is_made(self) -> None:
        space = os.statvfs(self.base_dir)
        size = space.f_bavail * space.f_frsize // UNIT + 1
        err = self.assertRaises(base.QuotaError, self.provider.ensure_volume, self.volume_spec(size))
        self.assertIn("has room for", str(err))
        self.assertFalse(self.image.exists())
        self.remove_volume()


_LISTEN = """
import socket, sys
server = socket.create_server((sys.argv[1], 15432))
print("", flush=True)
while True: server.accept()
"""


class AccessTest(IsolatedTestCase):
    """Rules in the instance's own namespace."""

    def setUp(self) -> None:
        super().setUp()
        if base.Capability.ACCESS_RULES not in self.provider.capabilities:
            self.skipTest("nft is missing: apt install nftables")

    def listen(self) -> None:
        """Have something listen where the engine would."""
        command = ["nsenter", f"--net={self.namespace}", sys.executable, "-I", "-S", "-c", _LISTEN, self.address()]
        listening = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.addCleanup(listening.communicate)
        self.addCleanup(listening.kill)
        assert listening.stdout is not None
        self.assertEqual(b"\n", listening.stdout.readline())

    def reachable(self) -> bool:
        """Tell whether the host gets through: a packet that is dropped is not answered."""
        try:
            socket.create_connection((self.address(), 15432), timeout=1.5).close()
        except TimeoutError:
            return False
        return True

    def allow(self, *cidrs: str) -> None:
        self.provider.set_access(self.tag("port"), base.Access(allowed_cidrs=cidrs))

    def test_only_those_named_get_through(self) -> None:
        self.make_server()
        self.listen()
        self.assertTrue(self.reachable())
        self.allow("192.0.2.0/24", "2001:db8::/32")
        self.assertFalse(self.reachable())
        self.allow("192.0.2.0/24", f"{self.around.network.host_address()}/32")
        self.assertTrue(self.reachable())
        self.allow("192.0.2.0/24")
        self.assertFalse(self.reachable())
        self.allow()
        self.assertTrue(self.reachable())

    def test_rules_come_back_with_the_namespace(self) -> None:
        self.make_server()
        self.allow("192.0.2.0/24")
        commands.run("ip", "netns", "del", self.namespace.name)
        os.kill(self.record()["pid"], signal.SIGKILL)
        record = {**self.record(), "quick_ends": 0, "spawned_at": 0.0}
        self.until(lambda: self.provider.find_server(self.tag("server")).status is base.Status.PENDING)
        (self.server_dir / "server.json").write_text(json.dumps(record))
        self.provider.supervise()
        self.until(self.namespace.exists)
        self.listen()
        self.assertFalse(self.reachable())

    def test_before_there_is_a_server(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.allow("192.0.2.0/24")
        self.make_server()
        self.listen()
        self.assertFalse(self.reachable())


#: Lets go of mounts of which one, of another service, has gone since they were read.
_LET_GO = """
from trove.providers.local import launch
launch.private_namespace()
real = launch._mounts
gone = "1 1 0:4 net:[1] /run/netns/trove-test-gone rw - nsfs nsfs rw".split()
launch._mounts = lambda: [gone, *real()]
launch.let_go([("netns", "of this program")])
print([fields[4] for fields in real() if fields[4].startswith("/run/netns")])
"""


class OthersMountsTest(IsolatedTestCase):
    """What came along into a program's mount namespace."""

    def test_a_namespace_of_another_service_may_go_at_that_moment(self) -> None:
        done = subprocess.run([sys.executable, "-c", _LET_GO], capture_output=True, text=True, check=False)
        self.assertEqual((0, "[]\n"), (done.returncode, done.stdout), done.stderr)


class TierTest(IsolatedTestCase):
    """Two tiers in one base_dir."""

    def test_instances_keep_the_tier_they_were_made_in(self) -> None:
        self.make_server()
        plain = test_local.LocalTestCase.same_provider(self)
        self.assertEqual((1, 2), (plain.tier, self.provider.tier))
        os.kill(self.record()["pid"], signal.SIGKILL)
        self.until(lambda: plain.find_server(self.tag("server")).status is base.Status.PENDING)
        record = {**self.record(), "quick_ends": 0, "spawned_at": 0.0}
        (self.server_dir / "server.json").write_text(json.dumps(record))
        plain.supervise()
        self.assertIs(base.Status.READY, plain.find_server(self.tag("server")).status)
        agent = self.facts(not_pid=record["pid"])["pid"]
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{agent}/ns/net").st_ino)
        other = base.PortSpec(self.tag("port", ids.new_id()), 15432)
        self.assertTrue(plain.ensure_port(other).address.startswith("127."))
        plain.remove_port(other.tag)

    def test_choice_is_written_down_with_its_reason(self) -> None:
        found = self.provider.choose_tier("2")
        self.assertEqual((2, {}), (found.tier, found.missing))
        self.assertEqual(found, tiers.last(self.base_dir))
        with mock.patch.object(commands, "find", autospec=True, return_value=None):
            err = self.assertRaises(base.FatalError, self.provider.choose_tier, "2")
            self.assertIn("xfsprogs", str(err))
            self.assertEqual(1, self.provider.choose_tier("auto").tier)
        self.assertIn("xfsprogs", str(tiers.last(self.base_dir)))

    def test_check_does_not_mind_programs_in_mount_namespaces_of_their_own(self) -> None:
        """Each takes along, and keeps for its life, whatever is mounted when it starts."""
        strangers, over = [], threading.Event()

        def start_strangers() -> None:
            while not over.wait(0.01) and len(strangers) < 100:
                strangers.append(subprocess.Popen(["unshare", "-m", "--propagation", "private", "sleep", "600"]))

        thread = threading.Thread(target=start_strangers)
        thread.start()
        try:
            self.until(lambda: strangers)
            self.assertEqual({}, self.provider.check())
        finally:
            over.set()
            thread.join()
            for stranger in strangers:
                stranger.kill()
                stranger.wait()
        self.assertEqual([], [path.name for path in self.base_dir.glob(".capability-check*")])

    def test_two_services_do_not_meet(self) -> None:
        other_dir = self.tempdir() / "other"
        other = LocalProvider(other_dir, settings=Settings(isolation.make(other_dir), UNIT))
        self.addCleanup(other.halt)
        other.choose_tier("2")
        self.assertNotEqual(other._isolation.network.host_address(), self.around.network.host_address())
        self.assertNotEqual(other._isolation.network.bridge, self.around.network.bridge)
        port = other.ensure_port(self.port_spec())
        self.assertNotEqual(port.address, self.provider.ensure_port(self.port_spec()).address)


def join(groups: list[str]) -> None:
    for group in groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))


