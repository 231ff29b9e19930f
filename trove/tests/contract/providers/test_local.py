# SPDX-License-Identifier: Apache-2.0
# covers: trove/providers/local/processes.py
# covers: trove/providers/local/server_record.py
"""The provider contract against the local provider, and what only this one promises.

As root, each instance has an account of its own; :class:`OrdinaryUserTest` then runs this module once more as
``nobody``.
"""

import dataclasses
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures

from trove.common import clock, trees, watchdog
from trove.conf.local import NETWORK_ID
from trove.providers import base
from trove.providers.local import accounts, agent_health, privileges, processes, servers
from trove.providers.local.provider import LocalProvider
from trove.tests import base as tests
from trove.tests.contract.providers import suite
from trove.tests.fixtures import hostile

STUB = Path(__file__).with_name("stub_agent.py")
ROOT = os.geteuid() == 0


class LocalTestCase(suite.ProviderTestMixin, tests.FunctionalTestCase):
    """A provider in a directory of its own that leaves no process behind."""

    network = NETWORK_ID

    def setUp(self) -> None:
        self.strangers: list[subprocess.Popen[bytes]] = []
        super().setUp()
        self.addCleanup(self.clean_up)

    def new_provider(self) -> LocalProvider:
        self.base_dir = self.tempdir() / "trove"
        return self.same_provider()

    def same_provider(self) -> LocalProvider:
        return LocalProvider(self.base_dir, agent_argv=[sys.executable, "-I", "-S", str(STUB)])

    def clean_up(self) -> None:
        for stranger in self.strangers:
            stranger.kill()
            stranger.wait()
        with mock.patch.object(servers, "GRACE", 0.0):
            self.remove_server()

    @property
    def server_dir(self) -> Path:
        return self.base_dir / "servers" / self.instance_id

    def record(self) -> dict[str, Any]:
        return json.loads((self.server_dir / "server.json").read_text())

    def facts(self, not_pid: int = 0) -> dict[str, Any]:
        """Return what the agent, once it runs, has seen."""
        file = self.server_dir / "state" / "facts.json"

        def read() -> dict[str, Any] | None:
            found = json.loads(file.read_text()) if file.exists() else None
            return found if found and found["pid"] != not_pid else None

        return self.until(read)

    def stranger(self, **kwargs: Any) -> subprocess.Popen[bytes]:
        """Start a process that no provider may touch."""
        child = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True, **kwargs)
        self.strangers.append(child)
        return child

    def assertAlive(self, pid: int) -> None:
        self.assertIsNotNone(processes.identify(pid), f"process {pid} has ended")

    def assertGone(self, pid: int) -> None:
        self.assertIsNone(processes.identify(pid), f"process {pid} runs")


class LocalContractTest(suite.ProviderContract, LocalTestCase):
    """The common contract."""


class FullDiskTest(LocalTestCase):
    """Nothing can be written any more."""

    def test_what_runs_is_stopped_all_the_same(self) -> None:
        self.make_server()
        pid = self.facts()["pid"]

        def write(_store: Any, _kind: str, _record: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with fixtures.MonkeyPatch("trove.providers.local.records.Store.write", write):
            self.until(self.provider.halt)
        self.assertGone(pid)


class SpawnTest(LocalTestCase):
    """What an agent is started with."""

    def test_agent_is_detached_and_knows_little(self) -> None:
        os.environ["TROVE_TEST_SECRET"] = "x"
        self.addCleanup(os.environ.pop, "TROVE_TEST_SECRET")
        self.make_server()
        facts = self.facts()
        self.assertEqual(facts["pid"], facts["session"])
        self.assertEqual("/dev/null", facts["stdin"])
        self.assertEqual([0, 1, 2], facts["descriptors"])
        self.assertEqual(str(self.server_dir / "state"), facts["cwd"])
        self.assertEqual(0o077, facts["umask"])
        self.assertEqual(self.tag("server"), facts["environment"]["TROVE_INSTANCE"])
        known = {"PATH", "LANG", "LC_CTYPE", "HOME", "TROVE_INSTANCE", "PYTHONPATH", "MALLOC_ARENA_MAX"}
        self.assertLessEqual(set(facts["environment"]), known)
        self.assertIn("the stub runs", (self.server_dir / "agent.stderr").read_text())

    def test_bootstrap_document_is_filled_in_and_private(self) -> None:
        self.provider.ensure_volume(self.volume_spec(7))
        self.make_server(colour="red")
        document = self.facts()["bootstrap"]
        self.assertEqual(str(self.base_dir / "volumes" / self.instance_id / "data"), document["data_dir"])
        self.assertEqual(str(self.server_dir / "state"), document["state_dir"])
        # What one account prepares, another one must not trust.
        self.assertEqual(None if ROOT else str(self.base_dir / "templates"), document["template_dir"])
        self.assertEqual({"volume_gib": 7, "colour": "red"}, document["options"])
        self.assertEqual("5a" * 32, document["one_time_key"])
        file = self.server_dir / "state" / "bootstrap.json"
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
        for path in (file.parent, Path(document["data_dir"])):
            self.assertEqual(0o700, path.stat().st_mode & 0o777)

    def test_one_time_key_is_in_no_record_log_or_argument(self) -> None:
        self.make_server()
        command = Path(f"/proc/{self.facts()['pid']}/cmdline").read_bytes()
        texts = [command, *((self.server_dir / name).read_bytes() for name in ("server.json", "agent.stderr"))]
        self.assertNotIn(b"5a5a5a", b"".join([*texts, self.logs.text().encode()]))

    def test_adoption_does_not_touch_the_bootstrap_document(self) -> None:
        self.make_server()
        file = self.server_dir / "state" / "bootstrap.json"
        self.facts()
        file.write_text("used")
        self.provider.ensure_server(self.server_spec())
        self.assertEqual("used", file.read_text())

    def test_program_that_cannot_be_started(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        broken = LocalProvider(self.base_dir, agent_argv=["/no/such/program"])
        err = self.assertRaises(base.FatalError, broken.ensure_server, self.server_spec())
        self.assertIn("/no/such/program", str(err))
        self.assertIs(base.Status.READY, self.provider.ensure_server(self.server_spec()).status)

    def test_bad_bootstrap_document(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        spec = dataclasses.replace(self.server_spec(), bootstrap=b"{")
        self.assertRaises(base.FatalError, self.provider.ensure_server, spec)
        self.assertIsNone(self.provider.find_server(spec.tag))


class AdoptionTest(LocalTestCase):
    """What survives, what is found again, what is brought back."""

    def test_agent_outlives_the_process_that_started_it(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        program = (
            "import sys; from pathlib import Path\n"
            "from trove.domain.shape import Shape; from trove.providers import base\n"
            "from trove.providers.local.provider import LocalProvider\n"
            "p = LocalProvider(Path(sys.argv[1]), agent_argv=[sys.executable, '-I', '-S', sys.argv[2]])\n"
            "document = sys.stdin.buffer.read()\n"
            "p.ensure_server(base.ServerSpec(*sys.argv[3:5], Shape(1, 512), *sys.argv[5:8], bootstrap=document))\n"
        )
        spec = self.server_spec()
        names = [spec.tag, "x", spec.port_tag, spec.volume_tag, "none"]
        command = [sys.executable, "-c", program, str(self.base_dir), str(STUB), *names]
        subprocess.run(command, input=spec.bootstrap, check=True)
        pid = self.facts()["pid"]
        self.assertIs(base.Status.READY, self.provider.ensure_server(spec).status)
        self.assertEqual(pid, self.record()["pid"])
        self.assertAlive(pid)

    def test_agent_whose_start_was_never_written_down(self) -> None:
        self.make_server()
        pid = self.facts()["pid"]
        (self.server_dir / "server.json").write_text(json.dumps({**self.record(), "pid": None, "started": None}))
        self.assertIs(base.Status.PENDING, self.provider.find_server(self.tag("server")).status)
        self.provider.ensure_server(self.server_spec())
        self.assertEqual(pid, self.record()["pid"])

    def test_killed_agent_comes_back_and_the_engine_never_left(self) -> None:
        self.make_server()
        facts = self.facts()
        for bring_back in (self.provider.supervise, lambda: self.same_provider().ensure_server(self.server_spec())):
            os.kill(self.facts()["pid"], signal.SIGKILL)
            self.until(lambda: self.provider.find_server(self.tag("server")).status is base.Status.PENDING)
            record = {**self.record(), "quick_ends": 0, "spawned_at": 0.0}  # as if it had run for long
            (self.server_dir / "server.json").write_text(json.dumps(record))
            dead = record["pid"]
            bring_back()
            self.assertIs(base.Status.READY, self.provider.find_server(self.tag("server")).status)
            self.assertEqual(facts["engine"], self.facts(not_pid=dead)["engine"])
            self.assertAlive(facts["engine"])

    def test_supervise_leaves_a_running_agent_alone(self) -> None:
        self.make_server()
        pid = self.record()["pid"]
        self.provider.supervise()
        self.assertEqual(pid, self.record()["pid"])

    def test_agent_that_cannot_run_fails_its_server(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())

        def ensure() -> base.Server | None:
            server = self.provider.ensure_server(self.server_spec(die=True))
            return server if server.status is base.Status.FAILED else None

        self.assertIn("agent.stderr", self.until(ensure).detail)
        starts = self.logs.text().count("started the agent")
        self.provider.supervise()
        self.assertEqual(starts, self.logs.text().count("started the agent"))

    def test_agent_that_needs_an_operator_fails_its_server_at_once(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())

        def ended() -> base.Server | None:
            self.provider.supervise()
            server = self.provider.find_server(self.tag("server"))
            return server if server is not None and server.status is base.Status.FAILED else None

        self.provider.ensure_server(self.server_spec(refuse=74))
        detail = self.until(ended).detail
        self.assertIn("the journal is refused", detail)
        self.assertIn("agent.stderr", detail)
        self.assertNotIn("hunter2", detail)
        self.provider.ensure_server(self.server_spec(refuse=74))
        self.provider.supervise()
        self.assertEqual(1, self.logs.text().count("started the agent"))
        # Slow retries go on: once the pause is over it is started again, and fails again at once.
        record = self.record()
        (self.server_dir / "server.json").write_text(json.dumps({**record, "spawned_at": record["spawned_at"] - 61}))
        self.until(lambda: ended() and self.record()["quick_ends"] > record["quick_ends"])
        self.assertEqual(2, self.logs.text().count("started the agent"))
        self.provider.restart_server(self.tag("server"))
        self.assertIsNone(self.record()["failure"])

    def test_restart_ends_agent_and_engine(self) -> None:
        self.make_server()
        before = self.facts()
        self.provider.restart_server(self.tag("server"))
        self.until(lambda: self.provider.supervise() or self.ready(self.provider.find_server(self.tag("server"))))
        self.facts(not_pid=before["pid"])
        self.assertGone(before["pid"])
        self.assertGone(before["engine"])
        self.assertEqual(0, self.record()["quick_ends"])


class RemovalTest(LocalTestCase):
    """What ends, and what must not."""

    def test_removal_ends_engine_and_agent_and_leaves_no_files(self) -> None:
        self.make_server()
        facts = self.facts()
        self.remove_server()
        self.provider.remove_volume(self.tag("volume"))
        self.provider.remove_port(self.tag("port"))
        self.assertGone(facts["pid"])
        self.assertGone(facts["engine"])
        self.assertEqual([], list(self.base_dir.rglob(f"*{self.instance_id}*")))
        self.assertEqual([], list((self.base_dir / "trash").iterdir()))

    def test_engine_without_an_agent_ends_too(self) -> None:
        self.make_server()
        facts = self.facts()
        os.kill(facts["pid"], signal.SIGKILL)
        self.remove_server()
        self.assertGone(facts["engine"])

    def test_who_does_not_heed_sigterm_is_killed_after_a_while(self) -> None:
        self.make_server(stubborn=True)
        facts = self.facts()
        for _ in range(3):
            self.assertIs(False, self.provider.remove_server(self.tag("server")))
        self.assertAlive(facts["engine"])
        self.assertRaises(base.RetryableError, self.provider.ensure_server, self.server_spec())
        self.assertRaises(base.ConflictError, self.provider.remove_volume, self.tag("volume"))
        with mock.patch.object(servers, "GRACE", 0.1):
            self.remove_server()
        self.assertGone(facts["engine"])

    def test_nobody_else_is_signalled(self) -> None:
        self.make_server()
        facts = self.facts()
        data = self.base_dir / "volumes" / self.instance_id / "data"
        neighbours = [
            self.stranger(env={"TROVE_INSTANCE": self.tag("server") + "x"}),  # another server's mark
            self.stranger(env={"OTHER": f"TROVE_INSTANCE={self.tag('server')}"}),
            self.stranger(cwd=data),  # an operator who looks around
        ]
        self.remove_server()
        self.assertGone(facts["engine"])
        for neighbour in neighbours:
            self.assertAlive(neighbour.pid)

    def test_another_account_cannot_pose_as_the_agent(self) -> None:
        if not ROOT:
            self.skipTest("only root can be somebody else")
        self.make_server()
        facts, bootstrap = self.facts(), str(self.server_dir / "state" / "bootstrap.json")
        mark = {"TROVE_INSTANCE": self.tag("server")}
        poser = subprocess.Popen(
            [bootstrap, "600"], executable="/bin/sleep", env=mark, start_new_session=True,
            user="daemon", group="daemon", extra_groups=[],
        )  # fmt: skip
        self.strangers.append(poser)
        self.until(lambda: processes.mark_of(poser.pid) == self.tag("server"))
        os.kill(facts["pid"], signal.SIGKILL)
        self.until(lambda: processes.identify(facts["pid"]) is None)
        self.assertIs(base.Status.PENDING, self.provider.find_server(self.tag("server")).status)
        with mock.patch.object(agent_health, "QUICK", 0.0):
            self.provider.supervise()
        agent = self.facts(not_pid=facts["pid"])["pid"]
        self.assertNotEqual(poser.pid, agent)
        self.assertEqual(agent, self.record()["pid"])
        self.assertIn(f"process {poser.pid} of user id {min(processes.users_of(poser.pid))} poses", self.logs.text())
        # Nor with the agent's own number and start time, as a record of an earlier version would have adopted it.
        record = {**self.record(), "pid": poser.pid, "started": processes.identify(poser.pid).started}
        (self.server_dir / "server.json").write_text(json.dumps(record))
        self.assertIs(base.Status.PENDING, self.provider.find_server(self.tag("server")).status)
        self.remove_server()
        self.assertGone(agent)
        self.assertAlive(poser.pid)

    def test_agents_of_the_account_before_are_still_known(self) -> None:
        if not ROOT:
            self.skipTest("only root can be somebody else")
        self.make_server()
        pid = self.facts()["pid"]
        other = LocalProvider(self.base_dir, user="daemon", agent_argv=[sys.executable, "-I", "-S", str(STUB)])
        self.assertIs(base.Status.READY, other.find_server(self.tag("server")).status)
        other.supervise()
        self.assertEqual(pid, self.record()["pid"])

    def test_trees_of_a_hostile_guest_stop_nothing(self) -> None:
        self.make_server()
        pid = self.facts()["pid"]
        state = self.server_dir / "state"
        hostile.deep(state)
        self.addCleanup(trees.remove_quietly, self.base_dir / "trash")
        if ROOT:
            uid = self.record()["uid"]
            handle = os.open(state, os.O_RDONLY)
            while "d" in os.listdir(handle):
                os.chown("d", uid, uid, dir_fd=handle)
                below = os.open("d", os.O_RDONLY, dir_fd=handle)
                os.close(handle)
                handle = below
            os.close(handle)
        self.remove_server()
        self.assertGone(pid)
        self.provider.supervise()
        self.assertEqual([], list((self.base_dir / "trash").iterdir()))

    def test_an_agent_that_hangs_is_replaced_and_its_engine_goes_on(self) -> None:
        self.make_server()
        facts = self.facts()
        alive = self.server_dir / "state" / watchdog.FILE
        watchdog.beat(alive)
        os.kill(facts["pid"], signal.SIGSTOP)
        self.provider.supervise()
        self.assertAlive(facts["pid"])
        with mock.patch.object(agent_health, "PATIENCE", -1.0):
            self.provider.supervise()
        self.until(lambda: processes.identify(facts["pid"]) is None)
        self.provider.supervise()
        self.assertNotEqual(facts["pid"], self.facts(not_pid=facts["pid"])["pid"])
        self.assertAlive(facts["engine"])
        self.assertEqual((1, 0), (self.record()["hangs"], self.record()["quick_ends"]))
        self.assertIn("has not shown a sign of life", self.logs.text())

    def test_a_part_of_supervision_that_fails_stops_no_other(self) -> None:
        self.make_server()
        facts = self.facts()
        os.kill(facts["pid"], signal.SIGKILL)
        self.until(lambda: processes.identify(facts["pid"]) is None)
        errors = (RecursionError(), MemoryError(), base.RetryableError("no"), OSError())
        for part in ("ensure_zygote", "_sweep"):
            for error in errors:
                with mock.patch.object(LocalProvider, part, autospec=True, side_effect=error):
                    self.provider.supervise()
        with (
            mock.patch.object(agent_health, "pause", autospec=True, return_value=0.0),
            mock.patch.object(self.provider._store.trash, "round", autospec=True, side_effect=RecursionError),
        ):
            self.provider.supervise()
        self.assertNotEqual(facts["pid"], self.facts(not_pid=facts["pid"])["pid"])

    def test_reused_process_number_is_neither_adopted_nor_signalled(self) -> None:
        self.make_server()
        os.kill(self.facts()["pid"], signal.SIGKILL)
        innocent = processes.identify(self.stranger().pid)
        for started in (innocent.started, self.record()["started"]):
            record = {**self.record(), "pid": innocent.pid, "started": started}
            (self.server_dir / "server.json").write_text(json.dumps(record))
            self.assertIs(base.Status.PENDING, self.provider.find_server(self.tag("server")).status)
        self.remove_server()
        self.assertAlive(innocent.pid)

    def test_orphan_that_has_overwritten_its_environment_is_found(self) -> None:
        self.make_server()
        data = self.base_dir / "volumes" / self.instance_id / "data"
        uid = self.record()["uid"]
        user = {"user": uid, "group": uid, "extra_groups": []} if ROOT else {}
        orphan = subprocess.Popen(["/bin/sleep", "600"], env={}, cwd=data, start_new_session=True, **user)
        self.addCleanup(orphan.wait)
        self.addCleanup(orphan.kill)
        self.until(lambda: self.provider.remove_server(self.tag("server")) or orphan.poll())
        self.assertEqual(-signal.SIGTERM, orphan.wait(5))

    def test_crash_between_the_last_process_and_the_files(self) -> None:
        self.make_server()
        with mock.patch.object(self.provider._store, "discard", autospec=True, side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, self.remove_server)
        self.assertIsNotNone(self.provider.find_server(self.tag("server")))
        self.assertIs(True, self.same_provider().remove_server(self.tag("server")))
        self.assertFalse(self.server_dir.exists())


class AddressTest(LocalTestCase):
    """Addresses that can and cannot be listened on, tried for real."""

    def listen(self, address: str, port: int) -> None:
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen()

    def test_address_of_its_own_with_the_standard_port(self) -> None:
        port = self.provider.ensure_port(self.port_spec())
        self.assertRegex(port.address, r"^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.")
        self.assertEqual(15432, port.port)
        self.listen(port.address, port.port)
        self.assertEqual(port, self.provider.ensure_port(self.port_spec()))

    def test_taken_address_is_skipped(self) -> None:
        first = self.provider.ensure_port(self.port_spec())
        self.provider.remove_port(first.tag)
        self.listen(first.address, first.port)
        second = self.provider.ensure_port(self.port_spec())
        self.assertNotEqual(first.address, second.address)
        self.assertEqual(first.port, second.port)

    def test_wildcard_listener_leads_to_a_port_of_its_own(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number = probe.getsockname()[1]
        self.listen("0.0.0.0", number)
        made = [self.provider.ensure_port(base.PortSpec(tag, number)) for tag in ("one", "two")]
        self.assertEqual(["127.0.0.1"] * 2, [port.address for port in made])
        self.assertEqual(3, len({number, *(port.port for port in made)}))
        for port in made:
            self.listen(port.address, port.port)


class PrivilegesTest(LocalTestCase):
    """What root does before an agent starts."""

    def setUp(self) -> None:
        if not ROOT:
            self.skipTest("only root drops privileges")
        super().setUp()

    def test_agent_is_an_ordinary_user_without_a_way_back(self) -> None:
        self.make_server()
        facts = self.facts()
        gateway = (self.base_dir / "gateway").stat()
        self.assertEqual(([gateway.st_gid], True), (facts["groups"], facts["no_new_privileges"]))
        self.assertIn(facts["uid"], accounts.DEFAULT_RANGE)
        self.assertEqual(facts["uid"], (self.server_dir / "state").stat().st_uid)
        for path in (self.base_dir, self.server_dir, self.server_dir / "server.json"):
            self.assertEqual(0, path.stat().st_uid)
            self.assertEqual(0, path.stat().st_mode & 0o066)

    def test_only_what_is_needed_is_visible_and_code_is_read_only(self) -> None:
        closed = self.tempdir() / "checkout"
        program = closed / "program"
        program.mkdir(parents=True)
        program.chmod(0o755)
        (program / "stub.py").write_text(STUB.read_text())
        (closed / "secret").write_text("secret")
        (program / "stub.py").chmod(0o666)
        closed.chmod(0o700)
        for options, key, expected in (
            ({"read": str(closed / "secret")}, "read", "FileNotFoundError"),
            ({"write": str(program / "stub.py")}, "write", "OSError"),  # EROFS
        ):
            stub = [sys.executable, "-I", "-S", str(program / "stub.py")]
            self.provider = LocalProvider(self.base_dir, agent_argv=stub)
            self.make_server(**options)
            self.assertEqual(expected, self.facts()[key])
            self.remove_server()
        self.assertEqual("secret", (closed / "secret").read_text())

    def test_start_takes_little_longer_than_without_privileges_to_drop(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        privileges.precompile()
        begin = clock.monotonic()
        self.provider.ensure_server(self.server_spec())
        # About 0.03 s on an idle machine. On a busy one everything is slow; what is looked for here is a wait.
        self.assertLess(clock.monotonic() - begin, 10)

    def test_missing_capability_is_told_with_the_directory_and_the_remedy(self) -> None:
        closed = self.tempdir().parent  # the outermost directory of this test; only root may enter
        (closed / "file").write_text("")
        account = privileges.find_account("nobody")
        needed = [*privileges.code_paths(), str(closed / "file")]
        argv = privileges.launcher_argv(["/bin/true"], account=account, read_only=needed)
        weak = ["/usr/bin/setpriv", "--bounding-set", "-sys_admin", *argv]
        done = subprocess.run(weak, capture_output=True, check=False)
        self.assertEqual(126, done.returncode, done.stderr)
        for part in (b"mount namespace", str(closed).encode(), b"chmod o+x", b"ordinary user"):
            self.assertIn(part, done.stderr)

    def test_root_and_unknown_accounts_are_refused(self) -> None:
        for user in ("root", "no-such-user-here"):
            err = self.assertRaises(base.FatalError, LocalProvider, self.base_dir, user=user)
            self.assertIn(user, str(err))


class OrdinaryUserTest(tests.FunctionalTestCase):
    """All of the above once more without root."""

    def test_this_module_as_nobody(self) -> None:
        if not ROOT:
            self.skipTest("already an ordinary user")
        temporary = self.tempdir()
        account = privileges.find_account("nobody")
        os.chown(temporary, account.uid, account.gid)
        command = [sys.executable, "-P", "-m", "testtools.run", __name__]
        argv = privileges.run_unprivileged_argv(command, user="nobody", writable_paths=[str(temporary)])
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "HOME": str(temporary)}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env=environment)
        self.assertEqual(0, done.returncode, done.stdout[-4000:] + done.stderr[-4000:])
        self.assertIn("OK", done.stdout)
