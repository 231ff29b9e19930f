# SPDX-License-Identifier: Apache-2.0
"""Accounts of instances, with a service of root: what one instance's account can do to another instance, and who may
get an account again.

The registry of accounts is the host's, as it is for services: two runs of these tests must not take the same ids.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from trove.common import ids
from trove.providers import base
from trove.providers.local import accounts, servers
from trove.providers.local.provider import LocalProvider, Settings
from trove.tests.contract.providers import test_local, test_zygote

#: <linux/ptrace.h>
_PTRACE_SEIZE = 0x4206


def attack(victim: int, paths: Sequence[Path]) -> list[str]:
    """Open the files, signal, trace and look into the process; return what was not refused."""
    done: list[str] = []

    def attempt(what: str, action: Callable[[], object]) -> None:
        with contextlib.suppress(PermissionError, FileNotFoundError):
            action()
            done.append(what)

    def trace() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(_PTRACE_SEIZE, victim, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    for path in paths:
        attempt(f"read {path}", lambda path=path: os.listdir(path) if path.is_dir() else path.read_bytes())
        attempt(f"write {path}", lambda path=path: (path / "x").touch() if path.is_dir() else path.open("ab").close())
    attempt("signal", lambda: os.kill(victim, signal.SIGCONT))
    attempt("trace", trace)
    for name in ("environ", "mem", "maps"):
        attempt(name, lambda name=name: Path(f"/proc/{victim}/{name}").open("rb").close())
    attempt("cwd", lambda: os.listdir(f"/proc/{victim}/cwd/"))
    return done


def attack_as(uid: int, victim: int, paths: Sequence[Path]) -> list[str]:
    """Do :func:`attack` in a process of that user; root may, so nothing else keeps it from anything."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(writer, json.dumps(attack(victim, paths)).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise AssertionError("the attack itself failed")
    found: list[str] = json.loads(said)
    return found


class AccountsTestCase(test_local.LocalTestCase):
    """A provider of root."""

    def setUp(self) -> None:
        if not test_local.ROOT:
            self.skipTest("only root gives accounts away")
        super().setUp()

    def another(self) -> dict[str, Any]:
        """Make a second instance, removed at the end, and return what its agent sees."""
        self.addCleanup(setattr, self, "instance_id", self.instance_id)
        self.instance_id = ids.new_id()
        self.addCleanup(self.remove_server)
        self.addCleanup(setattr, self, "instance_id", self.instance_id)
        self.make_server()
        return self.facts()

    def remove_all(self) -> None:
        with mock.patch.object(servers, "GRACE", 0.0):
            self.remove_server()
        self.provider.remove_volume(self.tag("volume"))
        self.provider.remove_port(self.tag("port"))


class OthersTest(AccountsTestCase):
    """What the account of one instance reaches of another one."""

    def test_no_file_and_no_process(self) -> None:
        # As an operator would place it: what keeps one instance from another is not a closed directory above both.
        for parent in self.base_dir.relative_to("/tmp").parents:
            (Path("/tmp") / parent).chmod(0o1777 if str(parent) == "." else 0o711)
        self.make_server()
        first = self.facts()
        second = self.another()
        self.assertNotEqual(first["uid"], second["uid"])
        state, data = self.server_dir / "state", self.base_dir / "volumes" / self.instance_id / "data"
        (data / "table").write_text("rows")
        (data / "table").chmod(0o666)  # the directory admits nobody, whatever a careless engine does
        paths = [state, data, data / "table", state / "bootstrap.json", state / "facts.json"]
        paths += [self.server_dir / "server.json", self.server_dir / "agent.stderr", self.base_dir / "templates"]
        for victim in (second["pid"], second["engine"]):
            self.assertEqual([], attack_as(first["uid"], victim, paths))
        # The attack is one: its own files are open to it, and so are its own processes.
        own = attack_as(second["uid"], second["engine"], [data / "table"])
        self.assertEqual([f"{what} {data / 'table'}" for what in ("read", "write")], own[:2])
        self.assertLessEqual({"signal", "environ", "maps", "cwd"}, set(own))

    def test_directories_belong_to_the_account_and_admit_nobody_else(self) -> None:
        self.make_server()
        uid = self.facts()["uid"]
        self.assertEqual(f"trove-{uid}", self.facts()["name"])  # initdb looks itself up
        for path in (self.server_dir / "state", self.base_dir / "volumes" / self.instance_id / "data"):
            found = path.stat()
            self.assertEqual((uid, uid, 0o700), (found.st_uid, found.st_gid, found.st_mode & 0o777))


class WarmOthersTest(OthersTest, test_zygote.WarmTestCase):
    """The same with forked agents."""

    def same_provider(self) -> LocalProvider:
        return test_zygote.WarmTestCase.same_provider(self)


class LifeTest(AccountsTestCase):
    """How long an account is an instance's."""

    def narrow(self, count: int) -> LocalProvider:
        """Return a provider with only so many accounts left, of which nobody else on this host has any."""
        start = self.until(lambda: self.free_ids(count))
        stub = [sys.executable, "-I", "-S", str(test_local.STUB)]
        ids_ = range(start, start + count)
        return LocalProvider(self.base_dir, agent_argv=stub, settings=Settings(uids=ids_))

    def free_ids(self, count: int) -> int:
        start = 1_000_000 + int.from_bytes(os.urandom(3))
        taken = [uid for uid in range(start, start + count) if os.path.lexists(accounts.REGISTRY / str(uid))]
        return 0 if taken else start

    def test_it_outlives_processes_of_the_service_and_restarts(self) -> None:
        self.make_server()
        before = self.facts()
        again = self.same_provider()
        self.assertIs(base.Status.READY, again.ensure_server(self.server_spec()).status)
        self.until(lambda: again.restart_server(self.tag("server")).status is base.Status.READY)
        self.assertEqual(before["uid"], self.facts(not_pid=before["pid"])["uid"])

    def test_exhausted_range_is_told_and_a_removed_instance_makes_room(self) -> None:
        self.provider = self.narrow(1)
        self.make_server()
        first, uid = self.instance_id, self.record()["uid"]
        spec = base.VolumeSpec(ids.instance_tag(ids.new_id(), "volume"), 1)
        err = self.assertRaises(base.QuotaError, self.provider.ensure_volume, spec)
        self.assertIn("uid_range_size", str(err))
        self.assertIsNone(self.provider.find_volume(spec.tag))
        self.remove_all()
        self.instance_id = ids.new_id()
        self.make_server()
        self.assertNotEqual(first, self.instance_id)
        self.assertEqual(uid, self.record()["uid"])
        self.remove_all()

    def test_removal_ends_whoever_has_the_account(self) -> None:
        self.make_server()
        uid = self.facts()["uid"]
        # No mark, no descent, nothing of the instance's as its directory: only the account tells.
        hidden = subprocess.Popen(["/bin/sleep", "600"], env={}, cwd="/", start_new_session=True, user=uid, group=uid,
                                  extra_groups=[])  # fmt: skip
        self.addCleanup(hidden.wait)
        self.addCleanup(hidden.kill)
        with mock.patch.object(servers, "GRACE", 0.0):
            self.until(lambda: self.provider.remove_server(self.tag("server")) or hidden.poll())
            self.remove_server()
        self.assertIsNotNone(hidden.wait(5))
        self.assertNotIn(uid, accounts.running())

    def test_what_is_left_in_public_directories_goes_too(self) -> None:
        self.make_server()
        uid = self.facts()["uid"]
        left = [Path(f"/tmp/trove-test-{self.instance_id}"), Path(f"/dev/shm/trove-test-{self.instance_id}")]
        left[0].mkdir()
        (left[0] / "file").write_text("")
        left[1].write_text("")
        for path in (*left, left[0] / "file"):
            os.chown(path, uid, uid)
        self.remove_server()
        self.assertEqual([], [path for path in left if path.exists()])

    def test_id_is_not_given_away_while_files_or_processes_have_it(self) -> None:
        self.provider = self.narrow(1)
        uid = self.provider._store.accounts._ids[0]
        self.provider.ensure_volume(self.volume_spec())
        data = self.base_dir / "volumes" / self.instance_id / "data"
        (data / "file").write_text("")
        with mock.patch.object(self.provider._store.trash, "sweep", autospec=True):
            self.provider.remove_volume(self.tag("volume"))
        self.assertRaises(base.QuotaError, self.provider.ensure_volume, self.volume_spec())
        self.provider.supervise()
        with self.sleeper(uid):
            self.assertRaises(base.QuotaError, self.provider.ensure_volume, self.volume_spec())
        self.until(lambda: uid not in accounts.running())
        self.assertEqual(1, self.provider.ensure_volume(self.volume_spec()).size_gib)
        self.provider.remove_volume(self.tag("volume"))

    @contextlib.contextmanager
    def sleeper(self, uid: int) -> Iterator[None]:
        child = subprocess.Popen(["/bin/sleep", "600"], user=uid, group=uid, extra_groups=[])
        try:
            yield
        finally:
            child.kill()
            child.wait()

    def test_another_service_of_the_host_takes_another_id(self) -> None:
        self.provider = self.narrow(2)
        self.provider.ensure_volume(self.volume_spec())
        other_dir = self.tempdir() / "other"
        other = LocalProvider(other_dir, settings=Settings(uids=self.provider._store.accounts._ids))
        other.ensure_volume(self.volume_spec())
        owners = {(path / "volumes" / self.instance_id / "data").stat().st_uid for path in (self.base_dir, other_dir)}
        self.assertEqual(set(self.provider._store.accounts._ids), owners)
        for provider in (self.provider, other):
            provider.remove_volume(self.tag("volume"))

    def test_instance_of_an_earlier_version_keeps_its_account(self) -> None:
        shared = self.provider._store.accounts.shared

        @contextlib.contextmanager
        def none(_accounts: Any, _directory: Path) -> Iterator[None]:
            yield shared

        with mock.patch.object(accounts.Accounts, "taken", none):
            self.provider.ensure_volume(self.volume_spec())
        file = self.base_dir / "volumes" / self.instance_id / "volume.json"
        record = json.loads(file.read_text())
        del record["uid"]
        file.write_text(json.dumps(record))
        self.make_server()
        before = self.facts()
        self.assertEqual(shared.uid, before["uid"])
        second = self.another()
        self.assertNotEqual(shared.uid, second["uid"])
        self.remove_server()
        self.assertAlive(before["pid"])  # nobody is ended for an account that several have
