# SPDX-License-Identifier: Apache-2.0
"""Commands: judged, journalled, carried out, told; and the agent dying at every point in between."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trove.common import ids
from trove.datastores import spi
from trove.guestagent import dispatcher as dispatchers
from trove.guestagent.dispatcher import Dispatcher, Hooks
from trove.guestagent.journal import CommandRecord, Journal, JournalError
from trove.guestagent.monitor import InventoryWatch
from trove.tests.base import UnitTestCase
from trove.tests.unit.guestagent.fakes import INSTANCE, Crash, FakeHandler, frame_of
from trove.wire import command, report


def create(*names: str) -> command.CreateDatabases:
    return command.CreateDatabases(databases=[command.DatabaseSpec(name=name) for name in names])


class CrashingJournal(Journal):
    """A journal whose agent dies right before or right after a method's transaction."""

    crash: tuple[str, str] | None = None
    full = False

    def record(self, command: CommandRecord, reports: Sequence[report.Report]) -> None:
        self._around("record", lambda: super(CrashingJournal, self).record(command, reports))

    def finish(self, *args: Any) -> None:
        self._around("finish", lambda: super(CrashingJournal, self).finish(*args))

    def _around(self, name: str, method: Callable[[], None]) -> None:
        if self.full:
            raise JournalError("disk full")
        if self.crash == (name, "before"):
            raise Crash
        method()
        if self.crash == (name, "after"):
            raise Crash


class DispatcherCase(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "journal.sqlite"
        self.handler = FakeHandler()
        self.changes = 0
        #: What the agent has heard of the control plane's clock, in milliseconds.
        self.control_time: int | None = None
        self.start()

    def start(self) -> None:
        """Start an agent, the first or the next one, on the same journal and engine."""
        self.journal = CrashingJournal.open(self.path, INSTANCE)
        self.addCleanup(self.journal.close)
        self.lock = threading.Lock()
        self.inventory = InventoryWatch(self.handler)
        self.dispatcher = Dispatcher(
            self.journal,
            self.handler,
            engine_lock=self.lock,
            hooks=Hooks(
                self.inventory.after_command,
                self._changed,
                lambda order, _result: {"last": order.name},
                control_time=lambda: self.control_time,
            ),
        )

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def _changed(self) -> None:
        self.changes += 1

    def run_all(self) -> None:
        while self.dispatcher.run_next():
            pass

    def told(self) -> list[tuple[str, str | None]]:
        return [
            (item.state, item.error_symbol)
            for item in self.journal.unacknowledged()
            if isinstance(item, report.CommandResult)
        ]

    def carry_out(self, order: command.Command, **fields: Any) -> report.CommandResult:
        """Accept and run ``order``; return the final report."""
        self.dispatcher.accept(frame_of(order, **fields))
        self.run_all()
        last = self.journal.unacknowledged()[-1]
        assert isinstance(last, report.CommandResult)
        return last


class TestDeadlines(DispatcherCase):
    """A command is begun by its deadline, on the control plane's clock, or never."""

    def setUp(self) -> None:
        super().setUp()
        self.control_time = 1_000_000

    def put_off(self, *names: str, deadline: int = 1_240_000, allowance: int = 240_000) -> list[str]:
        """Accept creations of databases and return their ids."""
        frames = [frame_of(create(name), deadline=deadline, allowance=allowance) for name in names]
        for frame in frames:
            self.dispatcher.accept(frame)
        return [frame.id for frame in frames]

    def outcomes(self) -> list[tuple[str, str | None]]:
        return [item for item in self.told() if item[0] != "ACCEPTED"]

    def test_begun_in_time(self) -> None:
        self.put_off("a")
        self.control_time = 1_240_000
        self.run_all()
        self.assertEqual(([("DONE", None)], ["a"]), (self.outcomes(), self.handler.databases))

    def test_not_begun_in_time(self) -> None:
        (command_id,) = self.put_off("a")
        self.control_time = 1_240_001
        self.run_all()
        self.assertEqual(([("FAILED", "command.expired")], []), (self.outcomes(), self.handler.databases))
        record = self.journal.find(command_id)
        assert record is not None
        self.assertEqual(("FAILED", None), (record.state, record.args))

    def test_too_late_when_it_comes(self) -> None:
        self.put_off("a", deadline=999_999)
        self.assertEqual([("FAILED", "command.expired")], self.told())

    def test_a_question_about_what_never_came(self) -> None:
        """It has no arguments any more, and is not taken for a command without them."""
        frame = command.CommandFrame(
            id=ids.new_id(), command="create_databases", command_version=1, args={}, deadline=5
        )
        self.dispatcher.accept(frame)
        self.dispatcher.accept(frame)
        self.assertEqual([("FAILED", "command.expired")] * 2, self.told())

    def test_a_question_about_what_was_done(self) -> None:
        (command_id,) = self.put_off("a")
        self.run_all()
        self.control_time = 9_000_000
        self.dispatcher.accept(
            command.CommandFrame(id=command_id, command="create_databases", command_version=1, args={}, deadline=5)
        )
        self.assertEqual([("DONE", None)] * 2, self.outcomes())

    def test_a_long_queue_is_carried_out_whole(self) -> None:
        def take_long(_name: str) -> None:
            self.control_time = (self.control_time or 0) + 200_000

        self.handler.during = take_long
        self.put_off(*"abcdefgh")
        self.run_all()
        self.assertEqual(list("abcdefgh"), self.handler.databases)

    def test_an_agent_that_was_away_begins_nothing_of_its_queue(self) -> None:
        self.put_off(*"abc")
        self.dispatcher.run_next()
        self.restart()
        self.control_time = 3 * 86_400_000
        self.run_all()
        self.assertEqual(["a"], self.handler.databases)
        self.assertEqual([("DONE", None), *[("FAILED", "command.expired")] * 2], self.outcomes())

    def test_an_agent_that_was_away_for_a_moment_goes_on(self) -> None:
        self.put_off(*"abc", deadline=1_100_000)
        self.control_time = 1_090_000
        self.dispatcher.run_next()
        self.restart()
        self.control_time = 1_200_000  # within the allowance from the end of the first
        self.run_all()
        self.assertEqual(list("abc"), self.handler.databases)

    def test_nothing_is_begun_before_the_time_is_known(self) -> None:
        self.put_off("a")
        self.restart()
        self.control_time = None
        self.assertFalse(self.dispatcher.run_next())
        self.assertEqual([], self.handler.databases)
        self.control_time = 1_000_500
        self.run_all()
        self.assertEqual(["a"], self.handler.databases)

    def test_without_a_deadline_nobody_is_waited_for(self) -> None:
        self.control_time = None
        self.assertEqual("DONE", self.carry_out(create("a")).state)

    def test_what_was_begun_is_brought_to_its_end(self) -> None:
        self.handler.during = _raise(Crash())
        self.put_off("a")
        self.assertRaises(Crash, self.dispatcher.run_next)
        self.handler.during = lambda name: None
        self.restart()
        for time in (None, 3 * 86_400_000):
            self.control_time = time
            self.run_all()
        self.assertEqual(([("DONE", None)], ["a"]), (self.outcomes(), self.handler.databases))

    def test_the_time_is_asked_for_once(self) -> None:
        """Of a report that is acknowledged nobody would hear again."""
        self.put_off("a")
        self.journal.forget([item.report_id for item in self.journal.unacknowledged()])
        self.control_time = None
        for _ in range(3):
            self.assertFalse(self.dispatcher.run_next())
        self.assertEqual([("ACCEPTED", None)], self.told())
        self.control_time = 1_000_500
        self.run_all()
        self.assertEqual(["a"], self.handler.databases)


class TestTerms(DispatcherCase):
    """What depends on a role is done in the term that it was made in, or not at all."""

    def asked(self, name: str, term: int, set_id: str = "s") -> str:
        frame = frame_of(create(name), set_id=set_id, term=term)
        self.dispatcher.accept(frame)
        return frame.id

    def test_a_lower_term_is_refused_for_ever(self) -> None:
        self.asked("a", 4)
        self.run_all()
        for _ in range(2):
            last = self.carry_out(create("b"), set_id="s", term=3)
            self.assertEqual(("FAILED", "guest.stale_term"), (last.state, last.error_symbol))
            self.restart()
        self.assertEqual(["a"], self.handler.databases)
        self.assertEqual(4, self.journal.term("s"))

    def test_the_same_and_higher_terms_and_other_sets(self) -> None:
        for name, term, set_id in (("a", 4, "s"), ("b", 4, "s"), ("c", 9, "s"), ("d", 1, "t")):
            self.asked(name, term, set_id)
        self.run_all()
        self.assertEqual(["c", "d"], self.handler.databases)  # a and b waited when the higher term came
        self.asked("e", 9)
        self.asked("f", 10)
        self.dispatcher.accept(frame_of(create("g")))
        self.run_all()
        self.assertEqual(["c", "d", "f", "g"], self.handler.databases)

    def test_what_waits_is_refused_when_a_higher_term_comes(self) -> None:
        waits = self.asked("a", 4)
        self.asked("b", 5)
        self.control_time = None  # nobody need know the time for that
        self.run_all()
        record = self.journal.find(waits)
        assert record is not None
        self.assertEqual(("FAILED", "guest.stale_term", None), (record.state, record.error_symbol, record.args))
        self.assertEqual(["b"], self.handler.databases)

    def test_a_higher_term_counts_whatever_becomes_of_its_command(self) -> None:
        self.control_time = 1_000
        self.dispatcher.accept(frame_of(create("late"), set_id="s", term=7, deadline=1))
        self.dispatcher.accept(
            command.CommandFrame(id=ids.new_id(), command="unheard_of", command_version=1, args={}, set_id="t", term=7)
        )
        for set_id in "st":
            self.assertEqual("guest.stale_term", self.carry_out(create("b"), set_id=set_id, term=6).error_symbol)
        self.assertEqual([], self.handler.databases)

    def test_what_was_interrupted_is_not_continued_in_a_higher_term(self) -> None:
        self.handler.during = _raise(Crash())
        begun = self.asked("a", 4)
        self.assertRaises(Crash, self.dispatcher.run_next)
        self.handler.during = lambda name: None
        self.restart()
        self.asked("b", 5)
        self.run_all()
        record = self.journal.find(begun)
        assert record is not None
        self.assertEqual(("FAILED", "guest.stale_term"), (record.state, record.error_symbol))
        self.assertIn("was begun and interrupted", record.error_message or "")
        self.assertEqual(["create_databases"], self.handler.done)

    def test_what_was_interrupted_is_continued_in_its_term(self) -> None:
        self.handler.during = _raise(Crash())
        begun = self.asked("a", 4)
        self.assertRaises(Crash, self.dispatcher.run_next)
        self.handler.during = lambda name: None
        self.restart()
        self.run_all()
        record = self.journal.find(begun)
        assert record is not None
        self.assertEqual("DONE", record.state)

    def test_a_repeated_id_is_answered_with_what_became_of_it(self) -> None:
        frame = frame_of(create("a"), set_id="s", term=4)
        self.dispatcher.accept(frame)
        self.run_all()
        self.asked("b", 5)
        self.dispatcher.accept(frame)
        self.assertEqual(("DONE", None), self.told()[-1])


class TestDispatcher(DispatcherCase):
    def test_accepted_then_done(self) -> None:
        self.handler.result = {"x": 1}
        frame = frame_of(create("a"))
        self.dispatcher.accept(frame)
        self.assertEqual([("ACCEPTED", None)], self.told())
        self.assertEqual([], self.handler.done)
        self.assertTrue(self.dispatcher.run_next())
        self.assertFalse(self.dispatcher.run_next())
        self.assertEqual([("ACCEPTED", None), ("DONE", None)], self.told())
        self.assertEqual({"x": 1}, self.journal.unacknowledged()[-1].result)
        self.assertEqual("create_databases", self.journal.setting("last"))
        self.assertEqual(2, self.changes)

    def test_inventory_is_told_before_the_result(self) -> None:
        self.carry_out(create("a"))
        names = [item.name for item in self.journal.unacknowledged()]
        self.assertEqual(["command_result", "inventory", "command_result"], names)
        self.assertEqual(["a"], [item.name for item in self.journal.unacknowledged()[1].databases])

    def test_a_broken_inventory_does_not_fail_the_command(self) -> None:
        self.handler.inventory_error = ValueError("no")
        self.assertEqual("DONE", self.carry_out(create("a")).state)

    def test_partial_failure_tells_what_was_done(self) -> None:
        self.handler.during = _raise(spi.EngineError("database.exists", "There is one."))
        self.assertEqual("FAILED", self.carry_out(create("a")).state)
        self.assertEqual("inventory", self.journal.unacknowledged()[1].name)

    def test_in_order_one_at_a_time_under_the_engine_lock(self) -> None:
        held = []
        self.handler.during = lambda name: held.append(self.lock.locked())
        for order in (create("a"), command.Restart(), create("b")):
            self.dispatcher.accept(frame_of(order))
        self.run_all()
        self.assertEqual(["create_databases", "restart", "create_databases"], self.handler.done)
        self.assertEqual([True] * 3, held)
        self.assertFalse(self.lock.locked())

    def test_repeated_while_waiting_is_accepted_again_and_run_once(self) -> None:
        frame = frame_of(create("a"))
        self.dispatcher.accept(frame)
        self.dispatcher.accept(frame)
        self.run_all()
        self.assertEqual(["create_databases"], self.handler.done)
        self.assertEqual([("ACCEPTED", None), ("ACCEPTED", None), ("DONE", None)], self.told())

    def test_repeated_afterwards_gets_the_recorded_result(self) -> None:
        self.handler.result = {"x": 1}
        frame = frame_of(create("a"))
        self.dispatcher.accept(frame)
        self.run_all()
        self.handler.result = {"x": 2}
        self.restart()
        self.dispatcher.accept(frame)
        self.run_all()
        self.assertEqual(1, len(self.handler.done))
        last = self.journal.unacknowledged()[-1]
        self.assertEqual((frame.id, "DONE", {"x": 1}), (last.command_id, last.state, last.result))

    def test_recorded_failure_is_repeated_as_it_was(self) -> None:
        self.handler.during = _raise(spi.EngineError("database.exists", "There is one."))
        frame = frame_of(create("a"))
        self.dispatcher.accept(frame)
        self.run_all()
        self.handler.during = lambda name: None
        self.dispatcher.accept(frame)
        last = self.journal.unacknowledged()[-1]
        self.assertEqual(("database.exists", "There is one."), (last.error_symbol, last.error_message))
        self.assertEqual([], self.handler.done)

    def test_stale_epoch_is_refused(self) -> None:
        self.carry_out(command.Restart(), workflow_id="w", epoch=5)
        self.assertEqual("guest.stale_epoch", self.carry_out(create("a"), workflow_id="w", epoch=4).error_symbol)
        self.restart()
        self.assertEqual("guest.stale_epoch", self.carry_out(create("a"), workflow_id="w", epoch=4).error_symbol)
        self.assertEqual(["restart"], self.handler.done)
        for fields in ({"workflow_id": "w", "epoch": 5}, {"workflow_id": "v", "epoch": 1}, {"epoch": 0}):
            self.assertEqual("DONE", self.carry_out(create("a"), **fields).state, fields)

    def test_a_refused_epoch_does_not_lower_the_known_one(self) -> None:
        self.carry_out(command.Restart(), workflow_id="w", epoch=5)
        self.carry_out(command.Restart(), workflow_id="w", epoch=4)
        self.assertEqual(5, self.journal.epoch("w"))

    def test_unknown_commands(self) -> None:
        for name, version in (("execute", 1), ("restart", 99), ("drop_database", 1)):  # the last is not the handler's
            frame = command.CommandFrame(id=ids.new_id(), command=name, command_version=version, args={})
            self.dispatcher.accept(frame)
            self.run_all()
            self.assertEqual(("FAILED", "guest.unknown_command"), self.told()[-1], name)
        self.assertEqual([], self.handler.done)

    def test_malformed_arguments_are_refused_without_their_values(self) -> None:
        frame = command.CommandFrame(
            id=ids.new_id(), command="enable_root", command_version=1, args={"password": ["hunter2"]}
        )
        self.dispatcher.accept(frame)
        last = self.journal.unacknowledged()[-1]
        self.assertEqual("guest.malformed_command", last.error_symbol)
        self.assertNotIn("hunter2", last.error_message)

    def test_known_commands(self) -> None:
        known = self.dispatcher.known_commands()
        self.assertEqual([1], known["create_databases"])
        self.assertNotIn("drop_database", known)
        self.assertEqual(set(self.handler.commands()), set(known))

    def test_full_disk_does_not_carry_out_again(self) -> None:
        self.dispatcher.accept(frame_of(command.Restart()))
        self.journal.full = True
        for _ in range(3):
            self.assertRaises(JournalError, self.dispatcher.run_next)
        self.journal.full = False
        self.run_all()
        self.assertEqual(["restart"], self.handler.done)
        self.assertEqual(("DONE", None), self.told()[-1])


class TestFailures(DispatcherCase):
    def test_engine_error(self) -> None:
        log = self.tempdir() / "engine.log"
        log.write_text("line one\npassword=hunter2\nFATAL: no\n")
        self.handler.logs = [log]
        self.handler.during = _raise(spi.EngineError("engine.program", "initdb said password=hunter2."))
        last = self.carry_out(command.Restart())
        self.assertEqual(("FAILED", "engine.program"), (last.state, last.error_symbol))
        self.assertEqual("line one\npassword=***\nFATAL: no", last.log_tail)
        self.assertNotIn("hunter2", last.error_message)
        self.assertNotIn("hunter2", self.logs.text())

    def test_other_exception_tells_its_class_only(self) -> None:
        self.handler.during = _raise(ValueError("CREATE ROLE x PASSWORD 'hunter2'"))
        last = self.carry_out(command.EnableRoot(password="hunter2"))
        self.assertEqual("guest.internal_error", last.error_symbol)
        self.assertNotIn("ValueError", last.error_message)
        self.assertEqual("ValueError", last.log_tail)
        self.assertNotIn("hunter2", last.error_message)
        self.assertIn("in _plain", self.logs.text())  # the place is in the log
        self.assertNotIn("hunter2", self.logs.text())

    def test_where_things_are_is_not_for_the_owner(self) -> None:
        path = "/srv/instances/1/data/mysql.sock"
        self.handler.during = _raise(spi.EngineError("engine.program", f"No socket '{path}'.", detail=f"of {path}"))
        last = self.carry_out(command.Restart())
        self.assertEqual(("No socket '…'.", f"of {path}"), (last.error_message, last.log_tail))

    def test_the_next_command_runs_after_a_failure(self) -> None:
        self.handler.during = _raise(KeyError("x"))
        self.carry_out(command.Restart())
        self.handler.during = lambda name: None
        self.assertEqual("DONE", self.carry_out(command.Restart()).state)

    def test_broken_log_files(self) -> None:
        self.handler.log_files = _raise(OSError("gone"))  # type: ignore[method-assign]
        self.handler.during = _raise(spi.EngineError("engine.start", "It did not start."))
        last = self.carry_out(command.Restart())
        self.assertEqual(("engine.start", None), (last.error_symbol, last.log_tail))

    def test_symbol_that_is_none(self) -> None:
        self.handler.during = _raise(spi.EngineError("Not A Symbol!", "It did not start."))
        last = self.carry_out(command.Restart())
        self.assertEqual("guest.internal_error", last.error_symbol)

    def test_result_that_cannot_be_told(self) -> None:
        for result in ({"x": "y" * (dispatchers.MAX_RESULT_BYTES + 1)}, {"x": object()}):
            self.handler.result = result
            self.assertEqual("guest.internal_error", self.carry_out(command.Restart()).error_symbol)

    def test_every_failure_can_be_read_at_the_other_end(self) -> None:
        log = self.tempdir() / "engine.log"
        log.write_bytes(b"\xff\xfe password: x\n" * 5000)
        self.handler.logs = [log]
        self.handler.during = _raise(spi.EngineError("a.b", "\N{SNOWMAN}" * 1000))
        last = self.carry_out(command.Restart())
        from trove.wire import base

        again = base.decode(report.TO_CONTROL, last.name, last.version, last.to_wire())
        self.assertEqual(last, again)


class TestLogTail(UnitTestCase):
    def write(self, data: bytes) -> Path:
        path = self.tempdir() / "log"
        path.write_bytes(data)
        return path

    def test_newest_that_has_something(self) -> None:
        old, new, gone = self.write(b"old\n"), self.write(b"\n"), self.tempdir() / "gone"
        self.assertEqual("old", dispatchers.log_tail([old, new, gone]))
        self.assertIsNone(dispatchers.log_tail([gone]))
        self.assertIsNone(dispatchers.log_tail([]))

    def test_last_lines(self) -> None:
        tail = dispatchers.log_tail([self.write(b"".join(b"line %d\n" % n for n in range(1000)))])
        self.assertEqual([f"line {n}" for n in range(960, 1000)], tail.splitlines())

    def test_bounded(self) -> None:
        tail = dispatchers.log_tail([self.write(b"".join(b"%d %s\n" % (n, b"x" * 1000) for n in range(100)))])
        self.assertLessEqual(len(tail.encode()), dispatchers.TAIL_BYTES)
        self.assertTrue(tail.splitlines()[-1].startswith("99 "))

    def test_a_line_cut_in_front_of_its_secret_is_left_off(self) -> None:
        secret = b"password=" + b"s" * dispatchers.TAIL_BYTES
        self.assertNotIn("sss", dispatchers.log_tail([self.write(secret + b"\nend\n")]))


class TestCrashes(DispatcherCase):
    """The agent dies at each point; the control plane repeats itself until it has heard the result."""

    def test_before_record(self) -> None:
        self._crash_at(("record", "before"))

    def test_after_record(self) -> None:
        self._crash_at(("record", "after"))

    def test_before_handler(self) -> None:
        self._crash_at(("handler", "before"))

    def test_after_handler(self) -> None:
        self._crash_at(("handler", "after"))

    def test_before_finish(self) -> None:
        self._crash_at(("finish", "before"))

    def test_after_finish(self) -> None:
        self._crash_at(("finish", "after"))

    def _crash_at(self, point: tuple[str, str]) -> None:
        frame = frame_of(create("a", "b"), workflow_id="w", epoch=2)
        if point[0] == "handler":
            self.handler.during = _raise(Crash())
            if point[1] == "after":
                self.handler.during = lambda name: None
                plain = self.handler._plain
                self.handler._plain = lambda order: (plain(order), _raise(Crash())())[0]  # type: ignore[method-assign]
                self.restart()
        else:
            self.journal.crash = point
        died = 0
        try:
            self.dispatcher.accept(frame)
            self.run_all()
        except Crash:
            died = 1
        self.assertEqual(1, died)
        self.handler.during = lambda name: None
        self.handler.__dict__.pop("_plain", None)
        self.restart()
        if self.journal.find(frame.id) is None:
            self.assertEqual(("record", "before"), point)
            self.assertEqual([], self.journal.unacknowledged())
        else:
            self.assertIn(("ACCEPTED", None), self.told())
        self.dispatcher.accept(frame)  # the control plane has heard nothing, so it asks again
        self.run_all()
        self.assertEqual(("DONE", None), self.told()[-1])
        self.assertEqual(["a", "b"], self.handler.databases)
        self.assertLessEqual(len(self.handler.done), 2)
        self.assertIsNone(self.journal.find(frame.id).args)
        self.assertEqual(2, self.journal.epoch("w"))

    def test_unfinished_command_is_taken_up_without_being_asked_again(self) -> None:
        self.handler.during = _raise(Crash())
        self.dispatcher.accept(frame_of(create("a")))
        self.assertRaises(Crash, self.dispatcher.run_next)
        self.handler.during = lambda name: None
        self.restart()
        self.run_all()
        self.assertEqual(["create_databases"], self.handler.done)
        self.assertEqual([("ACCEPTED", None), ("DONE", None)], self.told())

    def test_command_that_kills_every_agent_is_given_up(self) -> None:
        self.handler.during = _raise(Crash())
        self.dispatcher.accept(frame_of(create("a")))
        deaths = 0
        for _ in range(20):
            try:
                self.run_all()
                break
            except Crash:
                deaths += 1
                self.restart()
        self.assertEqual(dispatchers.MAX_INTERRUPTIONS, deaths)
        self.assertEqual(("FAILED", "guest.interrupted"), self.told()[-1])


def _raise(error: BaseException) -> Callable[..., Any]:
    def raiser(*_args: object) -> Any:
        raise error

    return raiser
