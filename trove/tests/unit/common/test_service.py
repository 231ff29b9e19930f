# SPDX-License-Identifier: Apache-2.0
"""Life-cycle of parts and processes. Signals are raised by the test itself, in this process."""

import os
import signal
import threading
from collections.abc import Callable
from unittest import mock

from trove.common import service
from trove.tests import base


class Recorder:
    """A part that writes down what happens to it."""

    def __init__(
        self, name: str, story: list[str], on_start: Callable[[], object] = lambda: None, stop: str = ""
    ) -> None:
        self._name, self._story, self._on_start, self._stop = name, story, on_start, stop

    def start(self) -> None:
        self._on_start()
        self._story.append(f"+{self._name}")

    def stop(self) -> None:
        self._story.append(f"-{self._name}")
        if self._stop:
            raise RuntimeError(self._stop)


def _raise(err: BaseException) -> None:
    raise err


class TestGroup(base.UnitTestCase):
    def test_order(self) -> None:
        story: list[str] = []
        group = service.Group([Recorder("a", story), Recorder("b", story, stop="broken"), Recorder("c", story)])
        group.start()
        group.stop()
        group.stop()
        self.assertEqual(["+a", "+b", "+c", "-c", "-b", "-a"], story)
        self.assertIn("Recorder did not stop cleanly", self.logs.text())

    def test_one_that_fails_to_start(self) -> None:
        for err in (OSError("in use"), KeyboardInterrupt()):
            story: list[str] = []
            failing = Recorder("b", story, lambda err=err: _raise(err))
            group = service.Group([Recorder("a", story), failing, Recorder("c", story)])
            self.assertRaises(type(err), group.start)
            self.assertEqual(["+a", "-a"], story)


class TestPeriodic(base.UnitTestCase):
    def test_goes_on_after_an_error(self) -> None:
        seen = threading.Event()
        rounds: list[int] = []

        def task() -> None:
            rounds.append(1)
            if len(rounds) > 1:
                seen.set()
            raise RuntimeError("one round")

        periodic = service.Periodic("p", 0.001, task)
        periodic.start()
        self.assertTrue(seen.wait(10))
        periodic.stop()
        count = len(rounds)
        self.assertFalse(periodic._thread and periodic._thread.is_alive())
        self.assertEqual(count, len(rounds))

    def test_no_failure_ends_it(self) -> None:
        """Not even one that nobody can be told of."""
        errors = iter((RecursionError(), MemoryError(), OSError(), AssertionError()))
        over = threading.Event()

        def task() -> None:
            error = next(errors, None)
            if error is None:
                over.set()
            else:
                raise error

        periodic = service.Periodic("p", 0.001, task)
        self.addCleanup(periodic.stop)
        with mock.patch.object(service.LOG, "exception", autospec=True, side_effect=MemoryError):
            periodic.start()
            self.assertTrue(over.wait(10))

    def test_one_item_that_fails_stops_no_other(self) -> None:
        done: list[int] = []

        def item(number: int) -> None:
            if number == 1:
                raise RecursionError("too deep")
            done.append(number)

        self.assertEqual([True, False, True], [service.attempt("an item", item, number) for number in range(3)])
        self.assertEqual([0, 2], done)
        self.assertIn("an item failed; the others go on", self.logs.text())

    def test_stop_before_start(self) -> None:
        service.Periodic("p", 1, lambda: None).stop()


class TestProcess(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.story: list[str] = []

    def process(self, *parts: service.Part, reload: Callable[[], object] | None = None) -> service.Process:
        process = service.Process(parts, reload)
        process._bound_exit = lambda: self.story.append("bounded")  # type: ignore[method-assign]
        return process

    @staticmethod
    def later(*numbers: int) -> Callable[[], None]:
        """Return a start that sends signals once the main thread waits, or soon will."""

        def send() -> None:
            for number in numbers:
                os.kill(os.getpid(), number)

        return lambda: threading.Timer(0.05, send).start()

    def test_signals_stop_it(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.story.clear()
            self.process(Recorder("a", self.story, self.later(number)), Recorder("b", self.story)).run()
            self.assertEqual(["+a", "+b", "-b", "-a", "bounded"], self.story)

    def test_reload(self) -> None:
        def reload() -> None:
            self.story.append("reload")
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("a mistake in the file")

        self.process(Recorder("a", self.story, self.later(signal.SIGHUP)), reload=reload).run()
        self.assertEqual(["+a", "reload", "-a", "bounded"], self.story)
        self.assertIn("was not reloaded", self.logs.text())

    def test_hup_without_reload_changes_nothing(self) -> None:
        self.process(Recorder("a", self.story, self.later(signal.SIGHUP, signal.SIGTERM))).run()
        self.assertEqual(["+a", "-a", "bounded"], self.story)

    def test_a_signal_while_parts_start_ends_the_start(self) -> None:
        stuck = Recorder("stuck", self.story, lambda: os.kill(os.getpid(), signal.SIGTERM))
        self.process(Recorder("a", self.story), stuck, Recorder("c", self.story)).run()
        self.assertEqual(["+a", "-a", "bounded"], self.story)

    def test_a_part_that_fails_to_start(self) -> None:
        process = self.process(Recorder("a", self.story), Recorder("b", self.story, lambda: _raise(OSError("in use"))))
        self.assertRaises(OSError, process.run)
        self.assertEqual(["+a", "-a", "bounded"], self.story)
