# SPDX-License-Identifier: Apache-2.0
# covers: trove/providers/local/zygote.py
# covers: trove/providers/local/zygote_client.py
"""Agents forked from a process that has their program loaded: the same as freshly started ones, and no worse off when
that process is gone, wrong or out of date. As root, and then once more as an ordinary user."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from trove.common import ids
from trove.providers import base
from trove.providers.local import isolation, privileges, processes, servers, zygote_client
from trove.providers.local.provider import LocalProvider, Settings
from trove.tests import base as tests
from trove.tests.contract.providers import stub_program, suite, test_isolated, test_local

#: The classes of this module that need no root.
_AS_ANYBODY = ("ForkTest", "LifeTest")
_ARGV = [sys.executable, "-P", "-m", stub_program.__name__]


class WarmTestCase(test_local.LocalTestCase):
    """A provider whose spare process is ready."""

    def new_provider(self) -> LocalProvider:
        made = super().new_provider()
        made.ensure_zygote()
        self.until(lambda: made.zygote_pid)
        return made

    def same_provider(self) -> LocalProvider:
        return self.close_later(
            LocalProvider(self.base_dir, agent_argv=_ARGV, settings=Settings(agent_module=stub_program.__name__))
        )

    def close_later(self, provider: LocalProvider) -> LocalProvider:
        self.addCleanup(provider.close)
        return provider

    def parent(self, pid: int) -> int:
        found = processes.read_stat(pid)
        self.assertIsNotNone(found)
        return found.parent

    def make_another(self, **options: Any) -> dict[str, Any]:
        """Make a second server and return what its agent sees; it is removed at the end."""
        first = self.instance_id
        self.instance_id = base_id = ids.new_id()
        self.addCleanup(setattr, self, "instance_id", first)
        self.addCleanup(self.remove_server)
        self.addCleanup(setattr, self, "instance_id", base_id)
        self.make_server(**options)
        return self.facts()


class WarmContractTest(suite.ProviderContract, WarmTestCase):
    """The common contract, all of it with forked agents."""


class ForkTest(WarmTestCase):
    """What a forked agent looks like."""

    def test_looks_like_a_fresh_start(self) -> None:
        spare = self.provider.zygote_pid
        self.make_server()
        forked = self.facts()
        self.assertEqual(spare, self.parent(forked["pid"]))
        self.provider.close()
        fresh = self.make_another()
        self.assertNotEqual(spare, self.parent(fresh["pid"]))
        for key in ("groups", "umask", "descriptors", "stdin", "no_new_privileges"):
            self.assertEqual(fresh[key], forked[key], key)
        own = {"HOME", "TROVE_INSTANCE", "LC_CTYPE"}  # the last one is the interpreter's own idea
        self.assertEqual(
            {k: v for k, v in fresh["environment"].items() if k not in own},
            {k: v for k, v in forked["environment"].items() if k not in own},
        )
        for facts in (forked, fresh):
            self.assertEqual(facts["pid"], facts["session"])
            self.assertEqual(facts["bootstrap"]["state_dir"], facts["cwd"])
            seen = Path(f"/proc/{facts['pid']}/cmdline").read_bytes().strip(b"\0").split(b"\0")
            wanted = [*_ARGV, "--bootstrap", f"{facts['cwd']}/bootstrap.json"]
            self.assertEqual(wanted, [word.decode() for word in seen])
            marks = Path(f"/proc/{facts['pid']}/environ").read_bytes().split(b"\0")
            self.assertIn(f"TROVE_INSTANCE={facts['environment']['TROVE_INSTANCE']}".encode(), marks)
            # Its account sees its own processes, as bubblewrap needs.
            self.assertEqual(facts["uid"], os.stat(f"/proc/{facts['pid']}/environ").st_uid)
        self.assertIn("the stub runs", (self.server_dir / "agent.stderr").read_text())

    def test_spare_holds_no_secret_and_shows_no_mark(self) -> None:
        self.make_server()
        spare = self.provider.zygote_pid
        self.assertIsNone(processes.mark_of(spare))
        memory = b""
        with open(f"/proc/{spare}/maps") as maps, open(f"/proc/{spare}/mem", "rb", 0) as stream:
            for line in maps:
                if " rw-p " in line and "[v" not in line:
                    start, end = (int(part, 16) for part in line.split()[0].split("-"))
                    stream.seek(start)
                    memory += stream.read(end - start)
        self.assertIn(stub_program.__name__.encode(), memory)
        self.assertNotIn(b"5a" * 32, memory)

    def test_agent_that_does_not_fit_starts_afresh_in_the_same_process(self) -> None:
        spare = self.provider.zygote_pid
        self.make_server(fresh=True)
        facts = self.facts()
        self.assertEqual(spare, self.parent(facts["pid"]))
        self.assertEqual([0, 1, 2], facts["descriptors"])
        self.assertEqual(self.record()["pid"], facts["pid"])
        self.assertNotIn("TROVE_ZYGOTE", facts["environment"])

    def test_end_is_told(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        self.provider.ensure_server(self.server_spec(refuse=74))
        self.until(lambda: self.provider.supervise() or self.failed())
        self.assertIn("the journal is refused", self.provider.find_server(self.tag("server")).detail)

    def failed(self) -> bool:
        return self.provider.find_server(self.tag("server")).status is base.Status.FAILED

    def test_what_keeps_an_agent_from_starting_is_told(self) -> None:
        log = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, log)
        launch = processes.Launch([*_ARGV, "--bootstrap", "x"], {}, "/no/such/place")
        err = self.assertRaises(base.FatalError, self.provider._servers._spawner.spawn, launch, log)
        self.assertIn("/no/such/place", str(err))
        self.assertIsNotNone(self.provider.zygote_pid)

    def test_what_does_not_fit_into_proc_is_started_afresh(self) -> None:
        spec = dataclasses.replace(self.server_spec(), tag="server-" + "x" * 3000)
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        self.addCleanup(lambda: self.until(lambda: self.provider.remove_server(spec.tag)))
        self.provider.ensure_server(spec)
        found = self.until(lambda: self.ready(self.provider.find_server(spec.tag)))
        self.assertIsNotNone(found)
        self.assertIn("started afresh", self.logs.text())


class LifeTest(WarmTestCase):
    """Agents and the spare process do not depend on each other."""

    def test_agents_outlive_the_spare_and_others_follow(self) -> None:
        self.make_server()
        first = self.facts()["pid"]
        spare = self.provider.zygote_pid
        os.kill(spare, signal.SIGKILL)
        self.until(lambda: processes.identify(spare) is None)
        self.assertAlive(first)
        self.assertIs(base.Status.READY, self.provider.find_server(self.tag("server")).status)
        fresh = self.make_another()  # nobody has noticed yet, and so it starts afresh
        self.assertNotEqual(spare, self.parent(fresh["pid"]))
        with mock.patch.object(zygote_client, "PAUSE", 0.0):
            self.provider.supervise()
        another = self.until(lambda: self.provider.zygote_pid)
        self.assertNotEqual(spare, another)
        self.assertEqual(another, self.parent(self.make_another()["pid"]))
        self.assertAlive(first)

    def test_spare_that_hangs_is_replaced_by_a_fresh_start(self) -> None:
        spare = self.provider.zygote_pid
        os.kill(spare, signal.SIGSTOP)
        with mock.patch.object(zygote_client, "ANSWER", 0.1):
            self.make_server()
        self.assertNotEqual(spare, self.parent(self.facts()["pid"]))
        self.assertGone(spare)

    def test_spare_ends_with_its_service_and_the_agent_is_adopted(self) -> None:
        self.make_server()
        pid, spare = self.facts()["pid"], self.provider.zygote_pid
        self.provider._zygote._channel.shutdown(socket.SHUT_RDWR)  # what the kernel does for a killed service
        self.until(lambda: processes.identify(spare) is None)
        self.assertAlive(pid)
        again = self.same_provider()
        self.assertIs(base.Status.READY, again.ensure_server(self.server_spec()).status)
        self.assertEqual(pid, self.record()["pid"])

    def test_agent_whose_start_was_never_written_down(self) -> None:
        self.make_server()
        pid = self.facts()["pid"]
        (self.server_dir / "server.json").write_text(json.dumps({**self.record(), "pid": None, "started": None}))
        self.provider.close()
        again = self.same_provider()
        again.ensure_server(self.server_spec())
        self.assertEqual(pid, self.record()["pid"])

    def test_other_code_means_another_spare(self) -> None:
        spare = self.provider.zygote_pid
        with mock.patch.object(zygote_client, "code_version", autospec=True, return_value="the next release"):
            self.make_server()
            self.assertNotEqual(spare, self.parent(self.facts()["pid"]))  # not from the old code
            self.provider.supervise()
            self.assertGone(spare)
            another = self.until(lambda: self.provider.zygote_pid)
            self.assertEqual(another, self.parent(self.make_another()["pid"]))

    def test_killed_agent_comes_back_by_a_fork_and_the_engine_never_left(self) -> None:
        self.make_server()
        facts = self.facts()
        os.kill(facts["pid"], signal.SIGKILL)
        self.until(lambda: self.provider.find_server(self.tag("server")).status is base.Status.PENDING)
        record = {**self.record(), "quick_ends": 0, "spawned_at": 0.0}  # as if it had run for long
        (self.server_dir / "server.json").write_text(json.dumps(record))
        self.provider.supervise()
        after = self.facts(not_pid=facts["pid"])
        self.assertEqual((facts["engine"], self.provider.zygote_pid), (after["engine"], self.parent(after["pid"])))

    def test_nothing_is_kept_ready_when_it_is_not_wanted(self) -> None:
        plain = test_local.LocalTestCase.same_provider(self)
        plain.supervise()
        self.assertIsNone(plain.zygote_pid)


class IsolatedForkTest(test_isolated.IsolatedTestCase, WarmTestCase):
    """Tier 2."""

    def same_provider(self) -> LocalProvider:
        around = isolation.make(self.base_dir)
        around.for_new = True
        settings = Settings(around, test_isolated.UNIT, agent_module=stub_program.__name__)
        return self.close_later(LocalProvider(self.base_dir, agent_argv=_ARGV, settings=settings))

    def new_provider(self) -> LocalProvider:
        made = test_isolated.IsolatedTestCase.new_provider(self)
        made.ensure_zygote()
        self.until(lambda: made.zygote_pid)
        return made

    def test_agent_is_confined_and_ordinary(self) -> None:
        self.make_server()
        facts = self.facts()
        self.assertEqual(self.provider.zygote_pid, self.parent(facts["pid"]))
        self.assertEqual(self.namespace.stat().st_ino, os.stat(f"/proc/{facts['pid']}/ns/net").st_ino)
        self.assertTrue(facts["no_new_privileges"])
        self.assertNotEqual(0, facts["uid"])
        status = Path(f"/proc/{facts['pid']}/status").read_text()
        self.assertIn("CapEff:\t0000000000000000", status)
        for group in self.record()["cgroups"]:
            pids = (Path(group) / "cgroup.procs").read_text().split()
            self.assertLessEqual({str(facts["pid"]), str(facts["engine"])}, set(pids))
            self.assertNotIn(str(self.provider.zygote_pid), pids)

    def test_agent_sees_no_other_volume_and_the_spare_holds_none(self) -> None:
        first = self.instance_id
        self.make_server()
        facts = self.make_another()
        seen = Path(f"/proc/{facts['pid']}/mountinfo").read_text()
        self.assertIn(f"{self.instance_id}/data", seen)
        self.assertNotIn(first, seen)
        with mock.patch.object(servers, "GRACE", 0.0):
            self.remove_server()
        self.provider.remove_volume(self.tag("volume"))  # would be refused if anybody held it


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
