# SPDX-License-Identifier: Apache-2.0
"""Heartbeats in polls, and apart where those were not taken. How reports are sent is in ``test_link``."""

from trove.datastores import spi
from trove.guestagent.heartbeat import JITTER, POLL_LEAST
from trove.guestbus.transport import TransportError
from trove.tests.unit.guestagent.test_link import LateControl, LinkCase
from trove.wire import report

INTERVAL = 10.0


class TestListen(LinkCase):
    def setUp(self) -> None:
        super().setUp()
        self.link.establish()
        self.heartbeats.publish(spi.EngineStatus("healthy"))
        self.outbox.step(self.link)
        self.control.heard.clear()

    def beats(self) -> list[str]:
        return [item.service_status for item in self.control.of(report.Heartbeat)]

    def hold(self) -> list[float]:
        """Have polls held as long as they ask for; return for how long each was."""
        exchange, waits = self.control.exchange, []

        def held(data: bytes | None, wait: float) -> list[bytes]:
            waits.append(wait)
            answers = exchange(data, wait)
            self.clock.advance(wait)
            self.heartbeats.publish(spi.EngineStatus("healthy"))
            return answers

        self.control.exchange = held  # type: ignore[method-assign]
        return waits

    def test_polls_are_the_heartbeats_and_nothing_is_sent_apart(self) -> None:
        waits = self.hold()
        for _ in range(20):
            self.outbox.listen(self.link, 20.0)
            self.outbox.step(self.link)
        self.assertEqual(["poll"] * 20, self.control.heard)
        self.assertEqual(["healthy"] * 21, self.beats())
        self.assertLess(max(waits), INTERVAL)
        self.assertGreater(min(waits), INTERVAL * (1 - JITTER) / 2)
        self.assertGreater(len(set(waits)), 10)  # herds dissolve

    def test_a_poll_is_held_no_longer_than_asked_and_no_shorter_than_is_worth_it(self) -> None:
        waits = self.hold()
        self.outbox.listen(self.link, 5.0)
        self.heartbeats._interval = 0.5
        self.outbox.listen(self.link, 20.0)
        self.assertEqual([5.0, POLL_LEAST], waits)

    def test_conductor_that_reads_none_in_polls_gets_each_apart(self) -> None:
        self.control.reads_heartbeats = False
        self.hold()
        for _ in range(5):
            self.outbox.wake.clear()
            self.outbox.listen(self.link, 20.0)
            self.assertTrue(self.outbox.wake.is_set())
            self.outbox.step(self.link)
        self.assertEqual(["poll", "heartbeat"] * 5, self.control.heard)
        self.assertEqual(["healthy"] * 6, self.beats())

    def test_poll_that_fails_leaves_its_heartbeat_to_be_sent_apart(self) -> None:
        for fault in ("down", "lose_response"):
            self.control.heard.clear()
            self.control.faults = [fault]
            self.assertRaises(TransportError, self.outbox.listen, self.link, 20.0)
            self.assertEqual(0, self.heartbeats.seconds_left())
            self.outbox.step(self.link)
            self.assertEqual("heartbeat", self.control.heard[-1])

    def test_silence_of_a_held_poll_is_noticed_by_the_sender(self) -> None:
        """A connection may be dead for long before anybody knows."""
        beat, _wait = self.heartbeats.for_poll(20.0)
        assert beat is not None
        self.clock.advance(INTERVAL)
        self.outbox.step(self.link)
        self.assertEqual(["heartbeat"], self.control.heard)

    def test_a_change_goes_apart_at_once(self) -> None:
        self.heartbeats.publish(spi.EngineStatus("crashed"))
        self.outbox.listen(self.link, 20.0)
        self.assertEqual(["healthy"], self.beats())
        self.outbox.step(self.link)
        self.assertEqual((["poll", "heartbeat"], ["healthy", "crashed"]), (self.control.heard, self.beats()))

    def test_nothing_to_say_before_the_first_probe(self) -> None:
        self.restart()
        self.link.establish()
        self.outbox.listen(self.link, 20.0)
        self.assertEqual(["healthy"], self.beats())


class TestListenWithoutPolls(LinkCase):
    def test_only_listens(self) -> None:
        self.control = LateControl()
        self.restart()
        self.heartbeats.publish(spi.EngineStatus("healthy"))
        self.heartbeats.compose()
        left = self.heartbeats.seconds_left()
        self.assertFalse(self.outbox.listen(self.link, 20.0))
        self.assertEqual(([], left), (self.control.heard, self.heartbeats.seconds_left()))
