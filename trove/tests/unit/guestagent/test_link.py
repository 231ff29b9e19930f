# SPDX-License-Identifier: Apache-2.0
"""The conversation: enrolment, hello, refusals, lost answers, acknowledgements; without threads."""

import contextlib
from typing import Any

from trove.datastores import spi
from trove.guestagent import link as links
from trove.guestagent import outbox as outboxes
from trove.guestagent.heartbeat import Heartbeats
from trove.guestagent.journal import Journal, JournalError, JournalRefused
from trove.guestagent.key_store import JournalKeyStore
from trove.guestagent.link import Link, NoAnswer
from trove.guestagent.outbox import Outbox
from trove.guestbus import keys
from trove.guestbus.session import GuestSession, NotEnrolled, Phase
from trove.guestbus.transport import PeerRefused, TransportError
from trove.tests.base import UnitTestCase
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.guestagent.fakes import INSTANCE, FakeControl, document
from trove.wire import command, report

POLL = report.Poll(report_id="p", wait=20.0)


class LinkCase(UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.directory = self.tempdir()
        self.control = FakeControl()
        self.document = document(self.directory)
        self.start()

    def start(self) -> None:
        """Start an agent, the first or the next."""
        self.journal = Journal.open(self.directory / "journal.sqlite", INSTANCE)
        self.addCleanup(self.journal.close)
        self.session = GuestSession(self.document, JournalKeyStore(self.journal))
        self.heartbeats = Heartbeats(10.0, agent_version="1", handler_version="2", measure=lambda: (1, 2))
        self.outbox = Outbox(self.journal, self.heartbeats)
        self.commands: list[str] = []
        self.enrolled = 0
        self.command_error: Exception | None = None
        self.link = Link(
            self.session,
            self.control,
            hello=self._hello,
            on_command=self._command,
            on_acknowledge=self.outbox.acknowledged,
            on_enrolled=self._enrolled,
        )

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def _hello(self) -> report.Hello:
        from trove.common import ids

        return report.Hello(
            report_id=ids.new_id(), agent_version="1", handler_version="2", protocol_min=1, protocol_max=1, commands={}
        )

    def _command(self, frame: command.CommandFrame) -> None:
        if self.command_error is not None:
            raise self.command_error
        self.commands.append(frame.id)

    def _enrolled(self) -> None:
        self.enrolled += 1

    def result(self, number: str) -> report.CommandResult:
        return report.CommandResult(report_id=number, command_id="c", state="DONE")

    def sent(self) -> list[str]:
        return [item.report_id for item in self.control.reports if not isinstance(item, report.Heartbeat)]


class TestEstablish(LinkCase):
    def test_enrols_says_hello_and_is_ready(self) -> None:
        self.link.establish()
        self.assertTrue(self.link.ready.is_set())
        self.assertEqual(["enrol", "hello"], self.control.heard)
        self.assertEqual((Phase.ENROLLED, 1), (self.session.phase, self.enrolled))

    def test_what_came_with_the_key_goes_before_the_hello(self) -> None:
        worked: list[int] = []
        self.link._let_work = lambda: worked.append(len(self.control.heard))
        order = self.control.send(command.Restart())
        plain = self.control._answers
        self.control._answers = lambda message: [  # type: ignore[method-assign]
            *plain(message), *(self.control.commands if isinstance(message, report.Enrol) else [])
        ]  # fmt: skip
        self.control.seal = self._seal_commands_with_the_key(self.control.seal)  # type: ignore[method-assign]
        self.link.establish()
        self.assertEqual(([order], [1]), (self.commands, worked))
        self.assertEqual((["enrol", "hello"], 1), (self.control.heard, self.enrolled))

    @staticmethod
    def _seal_commands_with_the_key(seal: Any) -> Any:
        def wrapped(message: Any, generation: int = keys.ENROLLED) -> bytes:
            return bytes(seal(message, keys.ENROLLED if isinstance(message, command.CommandFrame) else generation))

        return wrapped

    def test_nobody_waits_where_nothing_came_with_the_key(self) -> None:
        worked: list[int] = []
        self.link._let_work = lambda: worked.append(1)
        self.link.establish()
        self.assertEqual([], worked)

    def test_second_agent_only_says_hello(self) -> None:
        self.link.establish()
        self.restart()
        self.link.establish()
        self.assertEqual(["enrol", "hello", "hello"], self.control.heard)
        self.assertEqual(0, self.enrolled)

    def test_every_exchange_may_fail_in_every_way(self) -> None:
        for fault in ("down", "lose_response", "refuse"):
            for position in range(2):
                self.control = FakeControl()
                self.directory = self.tempdir()
                self.start()
                self.control.faults = [""] * position + [fault]
                self.assertRaises(TransportError, self.link.establish)
                self.assertFalse(self.link.ready.is_set())
                for _ in range(3):
                    if not self.link.ready.is_set():
                        self._try()
                self.assertTrue(self.link.ready.is_set(), (fault, position))
                self.link.send(self.result("r"))
                self.assertEqual(["r"], self.sent())

    def _try(self) -> None:
        with contextlib.suppress(TransportError):
            self.link.establish()

    def test_agent_dies_between_enrolment_and_hello(self) -> None:
        self.control.faults = ["", "down"]
        self.assertRaises(TransportError, self.link.establish)
        self.assertEqual(Phase.CONFIRM, self.session.phase)
        self.restart()
        self.link.establish()
        self.assertEqual(["enrol", "hello"], self.control.heard)

    def test_key_the_control_plane_never_got_is_replaced(self) -> None:
        self.control.faults = ["", "down"]
        self.assertRaises(TransportError, self.link.establish)
        self.control.master = None  # it lost the transaction with the new key
        self.assertRaises(PeerRefused, self.link.establish)
        self.link.establish()
        self.assertEqual(["enrol", "enrol", "hello"], self.control.heard)

    def test_unanswered_hellos_start_the_enrolment_over(self) -> None:
        self.control.faults = ["", "down"]
        self.assertRaises(TransportError, self.link.establish)
        quiet, self.control.acknowledges = self.control._answers, False
        self.control._answers = lambda message: quiet(message) if isinstance(message, report.Enrol) else []
        for _ in range(links.UNANSWERED_HELLOS):
            self.assertRaises(NoAnswer, self.link.establish)
        self.assertRaises(NoAnswer, self.link.establish)
        self.assertEqual("enrol", self.control.heard[-2])

    def test_without_any_key_it_says_so(self) -> None:
        self.document = document(self.directory, one_time_key=None)
        self.restart()
        self.assertRaises(NotEnrolled, self.link.establish)

    def test_refused_report_begins_a_new_boot(self) -> None:
        self.link.establish()
        boot = self.session.boot
        self.control.faults = ["refuse"]
        self.assertRaises(PeerRefused, self.link.send, self.result("r"))
        self.assertFalse(self.link.ready.is_set())
        self.assertEqual(boot + 1, self.session.boot)
        self.link.establish()
        self.link.send(self.result("r"))
        self.assertEqual(["r"], self.sent())

    def test_two_refusals_of_one_boot_are_one(self) -> None:
        self.link.establish()
        boot = self.session.boot
        self.link._mend(boot)
        self.link.establish()
        self.link._mend(boot)  # another thread's envelope of the old boot was refused as well
        self.assertTrue(self.link.ready.is_set())

    def test_late_acknowledgement_of_an_earlier_hello_is_not_readiness(self) -> None:
        self.link.establish()
        hello = self.link._hello_id
        self.link._mend(self.session.boot)
        self.control.commands = []
        self.link._take(command.Acknowledge(report_ids=[hello]))
        self.assertFalse(self.link.ready.is_set())


class LateControl(FakeControl):
    """Answers as a message broker does: not in the same exchange, but to whoever listens next."""

    needs_poll = False

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[bytes] = []

    def exchange(self, data: bytes | None, wait: float) -> list[bytes]:
        if data is not None:
            self.waiting += super().exchange(data, wait)
            return []
        came, self.waiting = self.waiting, []
        return came


class TestLateAnswers(LinkCase):
    def setUp(self) -> None:
        super().setUp()
        self.control = LateControl()
        self.restart()

    def test_establishes_in_steps(self) -> None:
        self.assertRaises(NoAnswer, self.link.establish)
        self.assertTrue(self.link.listen(None, 1.0))
        self.assertRaises(NoAnswer, self.link.establish)
        self.assertFalse(self.link.ready.is_set())
        self.link.listen(None, 1.0)
        self.assertTrue(self.link.ready.is_set())
        self.assertEqual((["enrol", "hello"], 1), (self.control.heard, self.enrolled))

    def test_reports_are_acknowledged_later_and_not_sent_twice(self) -> None:
        self.test_establishes_in_steps()
        self.outbox.submit([self.result("r1")])
        self.outbox.step(self.link)
        self.assertEqual(1, len(self.journal.unacknowledged()))
        self.link.listen(None, 1.0)
        self.assertEqual([], self.journal.unacknowledged())
        self.clock.advance(outboxes.RESEND.cap)
        self.outbox.step(self.link)
        self.assertEqual(["r1"], self.sent())

    def test_only_who_listens_takes_commands(self) -> None:
        self.test_establishes_in_steps()
        sent = [self.control.send(command.Restart()) for _ in range(3)]
        self.control.waiting += [self.control.seal(frame) for frame in self.control.commands]
        self.link.send(self.result("r1"))
        self.assertEqual([], self.commands)
        self.link.listen(None, 1.0)
        self.assertEqual(sent, self.commands)

    def test_establishing_waits_for_who_listens(self) -> None:
        self.clock.on_wait = lambda: self.link.listen(None, 1.0)
        self.link.establish()
        self.assertTrue(self.link.ready.is_set())
        self.assertEqual(["enrol", "hello"], self.control.heard)

    def test_an_end_lets_go_who_waits(self) -> None:
        self.clock.on_wait = self.link.close
        self.assertRaises(NoAnswer, self.link.establish)
        self.assertEqual(["enrol"], self.control.heard)
        self.assertEqual([], self.clock.pauses)


class TestListen(LinkCase):
    def setUp(self) -> None:
        super().setUp()
        self.link.establish()

    def test_takes_commands_in_order(self) -> None:
        sent = [self.control.send(command.Restart()) for _ in range(3)]
        self.assertTrue(self.link.listen(POLL, 20.0))
        self.assertFalse(self.link.listen(POLL, 20.0))
        self.assertEqual(sent, self.commands)

    def test_bad_envelopes_are_dropped_and_good_ones_taken(self) -> None:
        self.control.send(command.Restart(), "good")
        good = self.control.exchange(self.session.seal_report(report.Poll(report_id="p", wait=0)), 0)
        forged = FakeControl()
        forged.master = b"\1" * 32
        bad = [b"", b"x" * 50, good[0][:-1], forged.seal(command.Acknowledge(report_ids=["r"]))]
        self.control.exchange = lambda data, wait: [*bad, *good]  # type: ignore[method-assign]
        self.assertTrue(self.link.listen(POLL, 20.0))
        self.assertEqual(["good"], self.commands)

    def test_command_that_cannot_be_journalled_is_dropped(self) -> None:
        self.control.send(command.Restart())
        self.command_error = JournalError("disk full")
        self.assertTrue(self.link.listen(POLL, 20.0))
        self.assertEqual([], self.commands)

    def test_what_follows_a_dropped_command_is_dropped_too(self) -> None:
        """It may need the first, and both will come again."""
        sent = [self.control.send(command.Restart()) for _ in range(2)]

        def recovered(frame: command.CommandFrame) -> None:
            self.link._on_command = self._command
            raise JournalError("disk full")

        self.link._on_command = recovered
        self.link.listen(POLL, 20.0)
        self.assertEqual([], self.commands)
        for order in sent:
            self.control.send(command.Restart(), order)
        self.link.listen(POLL, 20.0)
        self.assertEqual(sent, self.commands)

    def test_damaged_journal_ends_it(self) -> None:
        self.control.send(command.Restart())
        self.command_error = JournalRefused("damaged")
        self.assertRaises(JournalRefused, self.link.listen, POLL, 20.0)

    def test_refusal_of_a_report_forgets_it(self) -> None:
        self.outbox.submit([self.result("r1"), self.result("r2")])
        refused = self.control.seal(command.Refused(symbol="guest.report", remedy="upgrade", report_id="r1"))
        self.control.exchange = lambda data, wait: [refused]  # type: ignore[method-assign]
        self.link.listen(POLL, 20.0)
        self.assertEqual(["r2"], [item.report_id for item in self.journal.unacknowledged()])


class TestOutbox(LinkCase):
    def submit(self, *numbers: str) -> None:
        self.outbox.submit([self.result(number) for number in numbers])

    def step(self) -> float:
        return self.outbox.step(self.link)

    def test_sends_in_order_and_forgets_what_is_acknowledged(self) -> None:
        self.submit("r1", "r2")
        self.assertGreater(self.step(), 0)
        self.assertEqual(["r1", "r2"], self.sent())
        self.assertEqual([], self.journal.unacknowledged())
        self.step()
        self.assertEqual(["r1", "r2"], self.sent())

    def test_what_is_not_acknowledged_is_sent_again_less_and_less_often(self) -> None:
        self.control.acknowledges = False
        self.link.ready.set()
        self.link.establish = lambda: None  # type: ignore[method-assign]
        self.enrol_by_hand()
        self.submit("r1")
        pauses = []
        for _ in range(8):
            wait = self.step()
            pauses.append(wait)
            while wait:
                self.clock.advance(wait)
                sent = len(self.sent())
                wait = self.step()
                if len(self.sent()) > sent:
                    break
                pauses[-1] += wait
        self.assertGreaterEqual(len(self.sent()), 8)
        self.assertGreater(pauses[-1], pauses[0] * 4)
        self.control.acknowledges = True
        self.clock.advance(outboxes.RESEND.cap)
        self.step()
        self.assertEqual([], self.journal.unacknowledged())

    def enrol_by_hand(self) -> None:
        for answer in self.control.exchange(self.session.seal_enrol("1", "2"), 0):
            self.session.open_from_control(answer)
        self.control.exchange(self.session.seal_report(self._hello()), 0)

    def test_unreachable_waits_and_never_hurries(self) -> None:
        self.submit("r1")
        self.control.faults = ["down"] * 20
        total = 0.0
        for _ in range(20):
            wait = self.step()
            self.assertLessEqual(wait, outboxes.UNREACHABLE.cap)
            self.assertGreater(wait, 0)
            heard = len(self.control.faults)
            self.assertLessEqual(self.step(), wait + 1e-6)  # woken early: it keeps quiet all the same
            self.assertEqual(heard, len(self.control.faults))
            self.clock.advance(wait)
            total += wait
        self.assertGreater(total, 100)
        self.step()
        self.assertEqual(["r1"], self.sent())

    def test_what_the_peer_asks_for_is_respected(self) -> None:
        def busy(data: bytes | None, wait: float) -> list[bytes]:
            raise TransportError("busy", retry_after=120.0)

        self.control.exchange = busy  # type: ignore[method-assign]
        self.assertGreaterEqual(self.step(), 120.0)

    def test_lost_response_means_sent_twice_never_lost(self) -> None:
        self.link.establish()
        self.submit("r1", "r2")
        self.control.faults = ["lose_response"]
        self.clock.advance(self.step())
        self.step()
        self.assertEqual(["r1", "r1", "r2"], self.sent())
        self.assertEqual([], self.journal.unacknowledged())

    def test_next_agent_sends_what_the_last_could_not(self) -> None:
        self.submit("r1")
        self.control.faults = ["down"]
        self.step()
        self.restart()
        self.step()
        self.assertEqual(["r1"], self.sent())

    def test_a_report_that_never_gets_through_lets_others_pass(self) -> None:
        self.link.establish()
        self.submit("poison", "r2")
        take = self.control._answers

        def choke(message: report.Report) -> list[object]:
            if message.report_id == "poison":
                raise TransportError("500")
            return take(message)

        self.control._answers = choke  # type: ignore[method-assign, assignment]
        for _ in range(outboxes.PATIENT_ATTEMPTS + 1):
            self.clock.advance(self.step())
        self.assertEqual(["r2"], self.sent())
        self.assertEqual(["poison"], [item.report_id for item in self.journal.unacknowledged()])

    def test_a_report_too_large_is_dropped(self) -> None:
        databases = [report.InventoryDatabase(name=f"{number:0255}") for number in range(10000)]
        huge = report.Inventory(report_id="huge", databases=databases, users=[], root_enabled=False)
        self.outbox.submit([huge, self.result("r2")])
        self.step()
        self.assertEqual(["r2"], self.sent())
        self.assertEqual([], self.journal.unacknowledged())

    def test_first_heartbeat_at_once_then_at_changes_and_at_the_interval(self) -> None:
        self.step()
        self.assertEqual([], self.control.of(report.Heartbeat))  # nothing is known yet
        for word, sent in (("building", 1), ("building", 1), ("healthy", 2), ("blocked", 3)):
            self.heartbeats.publish(spi.EngineStatus(word))
            self.step()
            self.assertEqual(sent, len(self.control.of(report.Heartbeat)), word)
        wait = self.step()
        self.assertLessEqual(wait, 10.0)
        self.clock.advance(wait)
        self.step()
        self.assertEqual(4, len(self.control.of(report.Heartbeat)))

    def test_lost_heartbeat_is_made_up_for_and_not_stored(self) -> None:
        self.link.establish()
        self.heartbeats.publish(spi.EngineStatus("healthy"))
        self.control.faults = ["down"]
        wait = self.step()
        self.assertEqual([], self.journal.unacknowledged())
        self.clock.advance(wait)
        self.step()
        self.assertEqual(["healthy"], [item.service_status for item in self.control.of(report.Heartbeat)])

    def test_key_store_failure_is_not_the_end(self) -> None:
        self.journal.set_keys = _full  # type: ignore[method-assign]
        self.assertGreater(self.step(), 0)
        del self.journal.set_keys
        self.clock.advance(60)
        self.submit("r1")
        self.step()
        self.assertEqual(["r1"], self.sent())
        self.assertEqual(keys.ENROLLED, self.session._state.generation)


def _full(value: object) -> None:
    raise JournalError("disk full")
