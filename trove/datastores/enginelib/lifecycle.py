# SPDX-License-Identifier: Apache-2.0
"""The lifecycle of one engine once it is prepared: wanted state, status words, restart, another size and the way back.

:class:`Lifecycle` joins a server (the process), a state file (what is wanted) and an engine's own functions
(:class:`Engine`). It decides *when*; how a configuration looks and how an engine is asked is the engine's.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import msgspec

from trove.common import clock
from trove.datastores import spi
from trove.datastores.enginelib import conditions, logs
from trove.datastores.enginelib.server import EngineServer
from trove.datastores.enginelib.state import Desired, StateFile, StateT, not_prepared
from trove.wire import command

#: Seconds a probe may take; the interface promises five for the whole status.
PROBE_TIMEOUT = 4.0
#: Seconds for which a working server's status tells that the kernel has killed a part of it for want of memory.
REMEMBERED = 300.0


class NoAnswer(Exception):
    """The server runs and does not answer; the text is one sentence for the owner."""


@dataclass(frozen=True)
class Engine(Generic[StateT]):
    """What an engine brings.

    :ivar title: its name for people.
    :ivar min_ram_mib: the smallest shape it runs in.
    :ivar data_dir: where its data is, to see how full that is.
    :ivar refresh: makes what may have vanished (a directory for the socket) and returns the state with it; it must
        not write when nothing has.
    :ivar configure: writes the configuration for a state, with the values that are ``in_force``.
    :ivar read_config: returns the configuration as it is, for :attr:`restore_config`.
    :ivar probe: asks the server whether it answers, bounded to :data:`PROBE_TIMEOUT`; raises :class:`NoAnswer`.
    :ivar log_files: newest last.
    :ivar log_bytes: size of the write-ahead log, ``None`` when it is unknown.
    :ivar disk_full: what a full volume means for this engine, where the common words would mislead.
    """

    title: str
    min_ram_mib: int
    data_dir: Path
    refresh: Callable[[StateT], StateT]
    configure: Callable[[StateT], None]
    read_config: Callable[[], str]
    restore_config: Callable[[str], None]
    probe: Callable[[StateT], None]
    log_files: Callable[[], Sequence[Path]]
    log_bytes: Callable[[], int | None] = lambda: None
    disk_full: conditions.Condition = conditions.DISK_FULL


class Lifecycle(Generic[StateT]):
    """Commands and :meth:`supervise` come from one thread, :meth:`status` from any."""

    def __init__(self, engine: Engine[StateT], server: EngineServer, states: StateFile[StateT]) -> None:
        self._engine = engine
        self._server = server
        self._states = states
        self._memory = conditions.MemoryKills()
        self._remembered_until = 0.0
        #: Set while a command is about to end or start the server on purpose.
        self._changing = threading.Event()
        self._was_full = False

    # -- looking -------------------------------------------------------------------------------------------------------

    def state(self) -> StateT | None:
        """Return the state of an engine that is prepared or being made, ``None`` before that."""
        return self._states.get()

    def known(self) -> StateT:
        """Return the state of a prepared engine.

        :raises EngineError: ``engine.not_prepared``.
        """
        known = self._states.get()
        if known is None or not known.prepared:
            raise not_prepared()
        return known

    def require_memory(self, shape: command.ShapeSpec) -> None:
        """Refuse a shape that is too small.

        :raises EngineError: ``engine.no_memory``.
        """
        engine = self._engine
        if shape.ram_mib < engine.min_ram_mib:
            raise spi.EngineError(
                "engine.no_memory", f"{engine.title} needs at least {engine.min_ram_mib} MiB of memory."
            )

    def status(self) -> spi.EngineStatus:
        """See :meth:`trove.datastores.spi.GuestHandler.status`."""
        known = self._states.get()
        if known is None or not known.prepared:
            return spi.EngineStatus("building")
        size = self._engine.log_bytes()
        if self._server.pid() is None:
            status, reason = self._absent(known)
            return spi.EngineStatus(status, reason[:255], size)
        try:
            self._engine.probe(known)
        except NoAnswer as err:
            if self._server.pid() is None:  # it ended meanwhile
                status, reason = self._absent(known)
                return spi.EngineStatus(status, reason[:255], size)
            short = conditions.OUT_OF_MEMORY if self._memory.since_last_forgiven() else None
            return spi.EngineStatus("blocked", str(self._full() or short or err)[:255], size)
        if full := self._full():
            # It answers, and cannot write: an owner must hear of it before the application's users do.
            return spi.EngineStatus("blocked", str(full), size)
        return spi.EngineStatus("healthy", self._remark(), size)

    def cause(self) -> conditions.Condition | None:
        """Return why the server ended, when that can be recognised."""
        if full := self._full():
            return full
        if self._memory.since_last_forgiven():
            return conditions.OUT_OF_MEMORY
        text = "".join(logs.tail(path) for path in list(self._engine.log_files())[-2:])
        return conditions.from_log(text, self._engine.data_dir)

    # -- doing ---------------------------------------------------------------------------------------------------------

    def supervise(self) -> None:
        """Bring back a server that should run and does not. Never waits."""
        known = self._states.get()
        if known is None or not known.prepared or known.desired != "running":
            return
        full = self._full() is not None
        if self._was_full and not full:
            self._server.hurry()
        self._was_full = full
        # Only what is needed: on a full disk a server may still start when nothing has to be written.
        if self._server.pid() is None:
            usable = self._engine.refresh(known)
            if usable != known:
                self._states.put(usable)
                self._engine.configure(usable)
        self._server.supervise()

    def start(self) -> None:
        """Start the server and keep it running.

        :raises EngineError: ``engine.start_failed``, ``engine.start_timeout``, ``engine.disk_full``,
            ``engine.out_of_memory``; ``configuration.refused``: it runs with the former values.
        """
        known = self.set_desired("running")
        with self.deliberately():
            if self._server.pid() is None:
                self._start(known)
            else:
                self._server.start()

    def stop(self) -> None:
        """Stop the server and keep it stopped, also across restarts of the agent."""
        self.set_desired("stopped")
        self._server.stop()

    def restart(self) -> None:
        """Stop and start the server; values that waited for this count now.

        :raises EngineError: as :meth:`start` does.
        """
        known = self.set_desired("running")
        with self.deliberately():
            self._server.stop()
            self._start(known)

    def reconfigure(self, asked: command.Reconfigure) -> None:
        """Give the server the configuration for another shape and restart it; it runs afterwards, with the new or the
        old one.

        :raises EngineError: ``engine.no_memory``, ``engine.configuration_refused``: the old configuration is in force
            again.
        """
        self.require_memory(asked.shape)
        known = self._refreshed(self.set_desired("running"))
        shape = asked.shape
        wanted = msgspec.structs.replace(known, vcpus=shape.vcpus, ram_mib=shape.ram_mib, volume_gib=shape.volume_gib)
        wanted = msgspec.structs.replace(wanted, in_force=wanted.configuration)
        with self.deliberately():
            old_text = self._engine.read_config()
            self._server.stop()
            self._engine.configure(wanted)
            try:
                self._server.start()
            except spi.EngineError as err:
                self._server.stop()
                self._engine.restore_config(old_text)
                self._server.start()
                raise spi.EngineError(
                    "engine.configuration_refused",
                    "The database server did not start with the settings for the new size; it runs with the old ones.",
                ) from err
        self._states.put(wanted)

    def set_volume(self, volume_gib: int) -> StateT:
        """Note a new size of the volume and write the configuration for it; the caller makes the server take it."""
        return self.note(msgspec.structs.replace(self.known(), volume_gib=volume_gib))

    def pid(self) -> int | None:
        """Return the server's process, ``None`` while there is none."""
        return self._server.pid()

    def running(self) -> bool:
        """Tell whether the server's process is there."""
        return self.pid() is not None

    def require_running(self) -> None:
        """See that a server that should run does.

        :raises EngineAway: it ended, and nobody has brought it back yet.
        """
        if self.known().desired == "running" and not self.running():
            raise spi.EngineAway("its process is not there")

    def write(self, wanted: StateT) -> None:
        """Write the configuration for a state; nothing else."""
        self._engine.configure(wanted)

    def note(self, wanted: StateT) -> StateT:
        """Write the configuration for a state, and remember the state."""
        self._engine.configure(wanted)
        return self._states.put(wanted)

    def set_desired(self, desired: Desired) -> StateT:
        """Note what the owner wants."""
        return self._states.put(msgspec.structs.replace(self.known(), desired=desired))

    @contextmanager
    def deliberately(self) -> Iterator[None]:
        """While entered, an absent server is being restarted, not crashed; a failure gets its recognised cause.

        :raises EngineError: ``engine.disk_full`` or ``engine.out_of_memory`` instead of what would say less.
        """
        self._changing.set()
        self._memory.forgive()
        try:
            yield
        except spi.EngineError as err:
            found = self.cause() if err.symbol in ("engine.start_failed", "engine.program") else None
            if found is None:
                raise
            raise _told(found) from err
        except OSError as err:
            found = conditions.from_error(err)
            if found is None:
                raise
            raise _told(found) from err
        finally:
            self._changing.clear()

    # -- details -------------------------------------------------------------------------------------------------------

    def _absent(self, known: StateT) -> tuple[str, str]:
        if known.desired == "stopped":
            return "shutdown", "The database server was stopped on request."
        if self._changing.is_set():
            return "blocked", "The database server is being restarted."
        reason, found = self._server.crash_reason, self.cause()
        if reason is not None:
            return "failed", f"The database server keeps ending. {found}" if found else reason
        again = "The database server ended unexpectedly; it is being started again."
        return "crashed", f"{again} {found}" if found else again

    def _remark(self) -> str | None:
        """Return what an owner should know of a server that works: it may have recovered faster than anybody could
        see."""
        now = clock.monotonic()
        if self._memory.since_last_forgiven():
            # What was killed is over; the next crash needs a cause of its own.
            self._memory.forgive()
            self._remembered_until = now + REMEMBERED
        return str(conditions.OUT_OF_MEMORY) if now < self._remembered_until else None

    def _full(self) -> conditions.Condition | None:
        return self._engine.disk_full if conditions.is_full(self._engine.data_dir) else None

    def _refreshed(self, known: StateT) -> StateT:
        return self._states.put(self._engine.refresh(known))

    def _start(self, known: StateT) -> None:
        """Start a stopped server with all values of its configuration group, else with those that it had before."""
        known = self._refreshed(known)
        if known.configuration == known.in_force:
            self._engine.configure(known)
            self._server.start()
            return
        wanted = msgspec.structs.replace(known, in_force=known.configuration)
        self._engine.configure(wanted)
        try:
            self._server.start()
        except spi.EngineError as err:
            self._server.stop()
            self._engine.configure(known)
            self._server.start()
            names = ", ".join(known.waiting())
            raise spi.EngineError(
                "configuration.refused",
                f"The database server does not start with the new values and runs with the former; change {names}.",
            ) from err
        self._states.put(wanted)


def _told(found: conditions.Condition) -> spi.EngineError:
    return spi.EngineError(f"engine.{found.kind.replace('-', '_')}", str(found))
