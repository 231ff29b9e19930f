# SPDX-License-Identifier: Apache-2.0
"""The running agent: its threads, and how they end.

========== ==================================================== ==============================
thread     does                                                 may wait for
========== ==================================================== ==============================
receiver   polls or listens for commands, journals them;        the control plane
           its polls are heartbeats too
sender     enrols, says hello, sends reports, and heartbeats    the control plane
           that no poll says
executor   carries out one command at a time                    the engine
monitor    probes the engine and lets its handler bring it back the engine
========== ==================================================== ==============================

No thread waits for both, so a lost control plane does not keep an engine down, and a stuck engine does not silence the
guest. Stopping the agent never stops the engine.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trove.common import clock, ids
from trove.common.backoff import Backoff, Failures
from trove.datastores import spi
from trove.guestagent import bootstrap as bootstraps
from trove.guestagent.dispatcher import Dispatcher, Hooks, OwnCommand
from trove.guestagent.heartbeat import Heartbeats
from trove.guestagent.installed import agent_version
from trove.guestagent.journal import Journal, JournalError, JournalRefused
from trove.guestagent.link import Link
from trove.guestagent.log_watch import LogWatch, setting
from trove.guestagent.modules.applier import Applier
from trove.guestagent.monitor import InventoryWatch, Monitor, Watches
from trove.guestagent.outbox import UNREACHABLE, Outbox
from trove.guestagent.publishing import Publisher
from trove.guestagent.volume import VolumeGauge
from trove.guestbus.session import GuestSession, Phase
from trove.guestbus.transport import GuestTransport, TransportError
from trove.guestbus.upload_client import UploadClient
from trove.wire import base, command, report
from trove.wire.bootstrap import Bootstrap

LOG = logging.getLogger(__name__)

#: Seconds for which a new agent does what came with its key before it says more: an owner waits for that work, and
#: nobody for its words.
FIRST_WORK = 0.1
#: Seconds that the sender may take for one thing: it waits 30 at most, for the network or for the next heartbeat.
SENDER_PATIENCE = 120.0
#: Setting in the journal: size of the data volume as a command last said.
VOLUME_SETTING = "volume_gib"


@dataclass(frozen=True)
class Timing:
    """Seconds; the defaults are for real life, tests shorten them.

    :ivar poll_wait: how long a poll is held by the control plane at most.
    :ivar empty_pause: least time between two polls that brought nothing.
    :ivar step: time between two steps of the monitor.
    :ivar stop_grace: how long a stopping agent waits for the command at work. One that takes longer is run again later.
    """

    poll_wait: float = 20.0
    empty_pause: float = 1.0
    step: float = 1.0
    stop_grace: float = 10.0


@dataclass(frozen=True)
class Files:
    """The agent's own files.

    :ivar bootstrap: the bootstrap document, to erase its one-time key; ``None`` when there is no file.
    :ivar log: the agent's log; ``None`` when it goes elsewhere.
    """

    bootstrap: Path | None = None
    log: Path | None = None


class Service:
    """Everything of one agent but the process around it.

    :param document: the bootstrap document.
    """

    def __init__(
        self,
        document: Bootstrap,
        journal: Journal,
        session: GuestSession,
        transport: GuestTransport,
        handler: spi.GuestHandler,
        *,
        files: Files = Files(),
        timing: Timing = Timing(),
    ) -> None:
        self._document = document
        self._journal, self._session, self._transport, self._handler = journal, session, transport, handler
        self._bootstrap_path = files.bootstrap
        self._timing = timing
        self._stop = threading.Event()
        self._work, self._idle = threading.Event(), threading.Event()
        self._stir = threading.Event()
        self._engine_lock = engine_lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        #: Why the agent cannot go on, or ``None``.
        self.failure: Exception | None = None
        #: Set when the agent cannot go on; whoever waits for signals waits for this too.
        self.finished = threading.Event()
        self._logs = LogWatch(handler, journal, files.log)
        watches = Watches(InventoryWatch(handler), self._logs)
        gauge = VolumeGauge(Path(document.data_dir), self._volume_gib)
        heartbeats = Heartbeats(
            document.heartbeat_interval,
            agent_version=agent_version(),
            handler_version=handler.version,
            measure=gauge.measure,
        )
        self._outbox = Outbox(journal, heartbeats)
        self._dispatcher = Dispatcher(
            journal,
            handler,
            engine_lock=engine_lock,
            hooks=Hooks(
                watches.after_command, self._reports_changed, _worth_remembering, control_time=session.control_time
            ),
            own=self._own_commands(),
        )
        self._monitor = Monitor(
            handler,
            heartbeats,
            watches,
            engine_lock=engine_lock,
            submit=self._outbox.submit,
            wake=self._outbox.wake.set,
        )
        self._link = Link(
            session,
            transport,
            hello=self._hello,
            on_command=self._command_came,
            on_acknowledge=self._acknowledged,
            on_enrolled=self._enrolled,
            let_work=lambda: clock.wait(self._idle, FIRST_WORK),
        )

    def start(self) -> None:
        """Start the threads. A command that an earlier agent left unfinished is taken up first."""
        if self._session.phase is Phase.ENROLLED:
            self._enrolled()
        self._work.set()
        for name, target in (
            ("sender", self._sender_loop),  # first: who has asked for the instance waits for its first words
            ("executor", self._executor_loop),
            ("receiver", self._receiver_loop),
            ("monitor", self._monitor_loop),
            ("logs", self._logs_loop),
        ):
            # Daemons, so that a handler that hangs cannot keep a stopped agent alive.
            thread = threading.Thread(target=self._guarded, args=(target,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End the threads; the engine keeps running. What could not be sent is sent by the next agent."""
        self._stop.set()
        for event in (self._work, self._idle, self._stir, self._outbox.wake):
            event.set()
        self._link.close()
        self._transport.close()
        deadline = clock.monotonic() + self._timing.stop_grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))
        if busy := [thread.name for thread in self._threads if thread.is_alive()]:
            LOG.warning("stopping although still at work: %s", ", ".join(busy))

    def hangs(self) -> bool:
        """Tell whether the thread that sends heartbeats has stood still for longer than anything it does may take."""
        return clock.monotonic() - self._outbox.at_work > SENDER_PATIENCE

    # -- threads -------------------------------------------------------------------------------------------------------

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as err:  # boundary: with one thread gone the rest is half an agent; end it and say why
            if not self._stop.is_set():
                LOG.critical("the agent cannot go on: %s: %s", type(err).__name__, err)
                self.failure = err
                self.finished.set()

    def _sender_loop(self) -> None:
        failures = Failures(Backoff(1.0, 30.0))
        while not self._stop.is_set():
            self._outbox.wake.clear()
            try:
                wait = self._outbox.step(self._link)
                failures.reset()
            except JournalRefused:
                raise
            except JournalError as err:
                wait = failures.next()
                LOG.error("the journal cannot be used: %s", err)
            if not self._stop.is_set():
                clock.wait(self._outbox.wake, wait)

    def _receiver_loop(self) -> None:
        failures = Failures(UNREACHABLE)
        while not self._stop.is_set():
            if self._link.needs_poll and not self._link.ready.is_set():
                clock.wait(self._link.ready, self._timing.poll_wait)
                continue
            began = clock.monotonic()
            try:
                came = self._outbox.listen(self._link, self._timing.poll_wait)
            except (TransportError, OSError) as err:
                if not self._link.ready.is_set():
                    self._outbox.wake.set()  # refused: the sender has a hello to say
                clock.wait(self._stop, failures.next(getattr(err, "retry_after", None)))
                continue
            failures.reset()
            pause = self._link.poll_after
            if not came and clock.monotonic() - began < self._timing.empty_pause:
                # An answer at once with nothing in it, over and over, would make a busy loop of the best intentions.
                pause = max(pause, self._timing.empty_pause * random.uniform(0.5, 1.0))
            if pause:
                clock.wait(self._stop, pause)

    def _executor_loop(self) -> None:
        failures = Failures(Backoff(0.5, 30.0))
        while not self._stop.is_set():
            clock.wait(self._work, 3600.0)
            self._work.clear()
            try:
                while not self._stop.is_set() and self._dispatcher.run_next():
                    failures.reset()
                self._idle.set()
            except JournalRefused:
                raise
            except JournalError as err:
                LOG.error("the result of a command cannot be journalled yet: %s", err)
                self._work.set()
                clock.wait(self._stop, failures.next())

    def _monitor_loop(self) -> None:
        while not self._stop.is_set():
            self._stir.clear()
            try:
                self._monitor.step()
            except JournalRefused:
                raise
            except JournalError as err:
                LOG.error("the inventory cannot be journalled: %s", err)
            clock.wait(self._stir, self._timing.step)

    def _logs_loop(self) -> None:
        # Not the monitor's: a probe or a command that takes long would leave the logs to themselves.
        told = False
        while not clock.wait(self._stop, self._timing.step):
            try:
                self._handler.limit_logs()
                told = False
            except Exception as err:  # boundary: it is tried again in a second, for ever
                if not told:
                    LOG.warning("the engine's logs cannot be kept within bounds (%s)", type(err).__name__)
                told = True

    # -- what the parts call -------------------------------------------------------------------------------------------

    def _hello(self) -> report.Hello:
        return report.Hello(
            report_id=ids.new_id(),
            agent_version=agent_version(),
            handler_version=self._handler.version,
            protocol_min=base.PROTOCOL_MIN,
            protocol_max=base.PROTOCOL_MAX,
            commands=self._dispatcher.known_commands(),
        )

    def _command_came(self, frame: command.CommandFrame) -> None:
        self._dispatcher.accept(frame)
        self._idle.clear()
        self._work.set()

    def _acknowledged(self, report_ids: list[str]) -> None:
        self._outbox.acknowledged(report_ids)
        self._work.set()  # a command may wait until somebody says what time it is

    def _reports_changed(self) -> None:
        self._monitor.probe_soon()
        self._stir.set()
        self._outbox.wake.set()

    def _volume_gib(self) -> int | None:
        try:
            size = self._journal.setting(VOLUME_SETTING)
        except JournalError:
            return None
        if size is None:
            size = self._document.options.get(VOLUME_SETTING)
        return size if isinstance(size, int) and size > 0 else None

    def _own_commands(self) -> dict[str, OwnCommand]:
        modules = Applier(Path(self._document.state_dir) / "modules")
        return {
            command.PublishLog.name: OwnCommand(self._publisher().publish, self._logs_now),
            command.ApplyModules.name: OwnCommand(modules.apply, tuple),
            command.RemoveModule.name: OwnCommand(modules.remove, tuple),
            command.RotateKeys.name: OwnCommand(self._session.renew, tuple),
        }

    def _publisher(self) -> Publisher:
        def logs() -> list[spi.EngineLog]:
            with self._engine_lock:
                return self._logs.logs()

        def connect(url: str | None, ca: str | None) -> UploadClient:
            document = self._document
            if url is not None:
                return UploadClient(url, document.instance_id, ca=ca)
            if document.transport != "gateway":
                raise ValueError("this guest talks over the message bus and was told no gateway")
            return UploadClient(document.endpoint, document.instance_id, ca=document.ca)

        return Publisher(logs, connect, lambda seconds: clock.wait(self._stop, seconds))

    def _logs_now(self) -> Sequence[report.Report]:
        with self._engine_lock:
            return self._logs.after_command()

    def _enrolled(self) -> None:
        if self._bootstrap_path is None:
            return
        try:
            if bootstraps.erase_one_time_key(self._bootstrap_path):
                LOG.info("the one-time key is erased")
        except (OSError, ValueError) as err:
            # The control plane has erased its copy: what is left opens nothing. The next start tries again.
            LOG.warning("the one-time key could not be erased from %s: %s", self._bootstrap_path, type(err).__name__)


def _worth_remembering(order: command.Command, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a carried-out command teaches: the volume's size, how far a log was published."""
    if isinstance(order, command.PublishLog):
        return {setting(order.log): result["position"]}
    if isinstance(order, command.GrowVolume):
        return {VOLUME_SETTING: order.volume_gib}
    if isinstance(order, command.Prepare | command.Reconfigure):
        return {VOLUME_SETTING: order.shape.volume_gib}
    return {}
