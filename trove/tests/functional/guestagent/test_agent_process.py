# SPDX-License-Identifier: Apache-2.0
# covers: trove/guestagent/agent.py
"""The agent as its operator meets it: a process with a bootstrap file, signals, exit statuses and a log."""

import contextlib
import json
import os
import signal
import sqlite3

from trove.common import clock, watchdog
from trove.guestagent import agent
from trove.tests.base import FunctionalTestCase
from trove.tests.functional.guestagent.agents import AgentProcess
from trove.tests.functional.guestagent.control import ControlPlane, wait_for
from trove.wire import command

PREPARE = command.Prepare(
    shape=command.ShapeSpec(vcpus=1, ram_mib=512, volume_gib=2),
    address="127.0.0.1",
    port=5432,
    admin_password="hunter2-admin",
)


def create(*names: str) -> command.CreateDatabases:
    return command.CreateDatabases(databases=[command.DatabaseSpec(name=name) for name in names])


class AgentCase(FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.control = self.useFixture(ControlPlane())
        guest = self.control.world.guest()
        self.key = guest.document.one_time_key
        self.agent = self.useFixture(AgentProcess(guest.id, self.control.gateway.url, self.key))
        self.addOnException(lambda _info: self.addDetail("agent.log", _text(self.agent.log())))

    def carry_out(self, order: command.Command) -> str:
        return self.control.finished(self.control.submit(self.agent.instance_id, order)).state

    def prepared(self) -> int:
        """Start an agent, prepare, and return the engine's pid."""
        self.agent.start()
        self.assertEqual("DONE", self.carry_out(PREPARE))
        return self.agent.engine_pid()


class TestLife(AgentCase):
    def test_from_bootstrap_to_a_working_engine(self) -> None:
        self.assertNotEqual(0, self.prepared())
        self.assertEqual("DONE", self.carry_out(create("a", "b")))
        self.assertEqual(["a", "b"], self.control.databases(self.agent.instance_id))
        wait_for(
            lambda: (self.control.heartbeat(self.agent.instance_id) or {}).get("service_status") == "healthy",
            what="a healthy heartbeat",
        )
        beat = self.control.heartbeat(self.agent.instance_id)
        self.assertEqual(("tiny-1", 2 * 1024**3), (beat["handler_version"], beat["volume_total_bytes"]))
        (alive,) = self.agent.directory.rglob(watchdog.FILE)
        self.assertLess(clock.monotonic() - watchdog.last(alive), 60.0)

    def test_secrets_are_nowhere_afterwards(self) -> None:
        self.prepared()
        wait_for(lambda: "one_time_key" not in json.loads(self.agent.bootstrap.read_text()), what="erasing the key")
        self.agent.signal(signal.SIGTERM)
        self.assertEqual(agent.OK, self.agent.wait()[0])
        for path in [*self.agent.directory.rglob("*")]:
            if path.is_file():
                content = path.read_bytes()
                self.assertNotIn(b"hunter2-admin", content, path)
                self.assertNotIn(self.key.encode(), content, path)
        self.assertEqual(0o600, self.agent.bootstrap.stat().st_mode & 0o777)

    def test_engine_outlives_a_stopped_agent_and_is_adopted(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            pid = self.prepared()
            self.agent.signal(number)
            status, _ = self.agent.wait()
            self.assertEqual(-9 if number == signal.SIGKILL else agent.OK, status)
            self.assertEqual(pid, self.agent.engine_pid(), number)
        self.agent.start()
        self.assertEqual("DONE", self.carry_out(create("a")))
        self.assertEqual(pid, self.agent.engine_pid())

    def test_hangup_is_no_reason_to_stop(self) -> None:
        self.prepared()
        self.agent.signal(signal.SIGHUP)
        self.assertEqual("DONE", self.carry_out(create("a")))

    def test_killed_engine_comes_back(self) -> None:
        pid = self.prepared()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.agent.engine_pid() not in {0, pid}, what="another engine")

    def test_killed_engine_comes_back_while_the_control_plane_is_away(self) -> None:
        pid = self.prepared()
        self.control.stop_gateway()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.agent.engine_pid() not in {0, pid}, what="another engine")

    def test_ended_engines_leave_no_zombie(self) -> None:
        pid = self.prepared()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.agent.engine_pid() not in {0, pid}, what="another engine")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_agent_killed_in_the_middle_of_a_command(self) -> None:
        self.prepared()
        command_id = self.control.submit(self.agent.instance_id, create("a", "suicide", "b"))
        self.assertEqual(-signal.SIGKILL, self.agent.wait()[0])
        self.agent.start()
        self.assertEqual("DONE", self.control.finished(command_id).state)
        self.assertEqual(["a", "b", "suicide"], self.control.databases(self.agent.instance_id))

    def test_stop_does_not_wait_for_ever_for_a_command(self) -> None:
        self.prepared()
        command_id = self.control.submit(self.agent.instance_id, create("slow"))
        wait_for(lambda: self.control.world.command(command_id).state == "ACCEPTED", what="acceptance")
        self.agent.signal(signal.SIGTERM)
        self.assertEqual(agent.OK, self.agent.wait(30)[0])
        (self.agent.data / "go").touch()
        self.agent.start()
        self.assertEqual("DONE", self.control.finished(command_id).state)

    def test_failure_reaches_the_control_plane(self) -> None:
        self.prepared()
        row = self.control.finished(self.control.submit(self.agent.instance_id, create("bad")))
        self.assertEqual(("FAILED", "database.bad"), (row.state, row.error_symbol))


class TestDeadlinesAndTerms(AgentCase):
    """A real process is stopped, killed and started again between hearing of a command and beginning it."""

    def attempts(self) -> list[str]:
        """The databases that somebody has begun to create."""
        path = self.agent.data / "attempts"
        return path.read_text().split() if path.exists() else []

    def wait_until_past(self, command_id: str) -> None:
        wait_for(lambda: self.control.is_past(command_id), what="the deadline")

    def state(self, command_id: str) -> str:
        return self.control.world.command(command_id).state

    def test_stopped_past_the_deadline(self) -> None:
        """The command lies in the agent's socket meanwhile."""
        self.prepared()
        self.agent.signal(signal.SIGSTOP)
        command_id = self.control.submit(self.agent.instance_id, create("late"), deadline=3)
        wait_for(lambda: self.is_sent(command_id), what="the sending")
        self.wait_until_past(command_id)
        self.agent.signal(signal.SIGCONT)
        row = self.control.finished(command_id)
        self.assertEqual(("FAILED", "command.expired"), (row.state, row.error_symbol))
        self.assertEqual("DONE", self.carry_out(create("next")))
        self.assertEqual(["next"], self.attempts())

    def is_sent(self, command_id: str) -> bool:
        row = self.control.world.command(command_id)
        return bool(row.send_at > row.created_at)

    def test_killed_with_a_command_that_was_accepted_and_not_begun(self) -> None:
        self.prepared()
        first = self.control.submit(self.agent.instance_id, create("slow"))
        wait_for(lambda: self.attempts() == ["slow"], what="the first command")
        late = self.control.submit(self.agent.instance_id, create("late"), deadline=3)
        wait_for(lambda: self.state(late) == "ACCEPTED", what="acceptance")
        self.agent.signal(signal.SIGKILL)
        self.agent.wait()
        self.wait_until_past(late)
        (self.agent.data / "go").touch()
        self.agent.start()
        self.assertEqual("DONE", self.control.finished(first).state)
        row = self.control.finished(late)
        self.assertEqual(("FAILED", "command.expired"), (row.state, row.error_symbol))
        self.assertNotIn("late", self.attempts())

    def test_a_restarted_agent_begins_nothing_before_it_has_heard_the_time(self) -> None:
        self.prepared()
        first = self.control.submit(self.agent.instance_id, create("slow"))
        wait_for(lambda: self.attempts() == ["slow"], what="the first command")
        late = self.control.submit(self.agent.instance_id, create("late"), deadline=3)
        wait_for(lambda: self.state(late) == "ACCEPTED", what="acceptance")
        self.agent.signal(signal.SIGKILL)
        self.agent.wait()
        self.control.stop_gateway()
        (self.agent.data / "go").touch()
        self.agent.start()
        wait_for(lambda: self.attempts() == ["slow", "slow"], what="the end of the first command")
        self.wait_until_past(late)
        self.assertEqual(["slow", "slow"], self.attempts())
        self.control.start_gateway()
        self.assertEqual("DONE", self.control.finished(first).state)
        self.assertEqual("command.expired", self.control.finished(late).error_symbol)

    def test_a_lower_term_is_refused_by_the_next_agent_too(self) -> None:
        self.prepared()
        of_term = self.control.submit(self.agent.instance_id, create("a"), term=5)
        self.assertEqual("DONE", self.control.finished(of_term).state)
        for name in ("b", "c"):
            row = self.control.finished(self.control.submit(self.agent.instance_id, create(name), term=4))
            self.assertEqual(("FAILED", "guest.stale_term"), (row.state, row.error_symbol))
            self.agent.signal(signal.SIGKILL)
            self.agent.wait()
            self.agent.start()
        for name, options in (("d", {"term": 5}), ("e", {})):
            row = self.control.finished(self.control.submit(self.agent.instance_id, create(name), **options))
            self.assertEqual("DONE", row.state)
        self.assertEqual(["a", "d", "e"], self.attempts())


class TestRefusals(AgentCase):
    def test_second_agent_of_one_instance(self) -> None:
        self.prepared()
        first = self.agent.process
        self.agent.start()
        status, errors = self.agent.wait()
        self.assertEqual(agent.ALREADY_RUNNING, status)
        self.assertIn(str(first.pid), errors)
        self.agent.process = first
        self.assertEqual("DONE", self.carry_out(create("a")))

    def test_damaged_journal(self) -> None:
        self.prepared()
        self.agent.signal(signal.SIGTERM)
        self.agent.wait()
        journal = self.agent.state / "journal.sqlite"
        journal.write_bytes(b"?" * journal.stat().st_size)
        before = journal.read_bytes()
        self.agent.start()
        status, errors = self.agent.wait()
        self.assertEqual(agent.BAD_JOURNAL, status)
        self.assertIn(str(journal), errors)
        self.assertIn("is refused", self.agent.log())
        self.assertEqual(before, journal.read_bytes())

    def test_journal_of_another_release(self) -> None:
        self.prepared()
        self.agent.signal(signal.SIGTERM)
        self.agent.wait()
        with contextlib.closing(sqlite3.connect(self.agent.state / "journal.sqlite")) as connection:
            connection.execute("PRAGMA user_version = 99")
        self.agent.start()
        status, errors = self.agent.wait()
        self.assertEqual(agent.BAD_JOURNAL, status)
        self.assertIn("its format is 99, this agent knows 1. Install the agent that wrote it", errors)

    def test_lost_journal(self) -> None:
        self.prepared()
        wait_for(lambda: "one_time_key" not in json.loads(self.agent.bootstrap.read_text()), what="erasing the key")
        self.agent.signal(signal.SIGTERM)
        self.agent.wait()
        for path in self.agent.state.glob("journal.sqlite*"):
            path.unlink()
        self.agent.start()
        self.assertEqual(agent.CANNOT_ENROL, self.agent.wait()[0])

    def test_bad_bootstrap(self) -> None:
        self.agent.bootstrap.write_text('{"one_time_key": "hunter2"}')
        self.agent.start()
        status, errors = self.agent.wait()
        self.assertEqual(agent.BAD_BOOTSTRAP, status)
        self.assertNotIn("hunter2", errors)

    def test_unknown_datastore(self) -> None:
        self.agent.write_bootstrap(datastore_manager="nobodys")
        self.agent.start()
        status, errors = self.agent.wait()
        self.assertEqual(agent.NO_HANDLER, status)
        self.assertIn("nobodys", errors)


def _text(text: str) -> object:
    from testtools import content

    return content.text_content(text)
