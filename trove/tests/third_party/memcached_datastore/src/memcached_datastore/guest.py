# SPDX-License-Identifier: Apache-2.0
"""The guest half: runs beside memcached in the instance.

It is made of the parts that Trove's own engines use (:mod:`trove.datastores.enginelib`): a state file that survives the
agent, and a server process that is started, adopted, stopped and brought back.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib import files, logs
from trove.datastores.enginelib.server import EngineServer, Program
from trove.datastores.enginelib.state import State, StateFile
from trove.wire import command

#: MiB of a shape that are left to the system, the agent and memcached's connections.
RESERVED_MIB = 64


class MemcachedHandler:
    """Implements :class:`trove.datastores.spi.GuestHandler`."""

    version = "1"

    # [state]
    def __init__(self, environment: spi.GuestEnvironment) -> None:
        self._environment = environment
        self._own_dir = files.private_directory(environment.state_dir / "memcached")
        self._pid_file = self._own_dir / "memcached.pid"
        self._log = self._own_dir / "memcached.log"
        self._states = StateFile(self._own_dir / "state.json", State)
        known = self._states.get()
        self._server = None if known is None else self._make_server(known)

    # [server]
    def _make_server(self, known: State) -> EngineServer:
        home = self._environment.engine_home or Path("/usr")
        # The data directory is named although a cache keeps nothing there: it tells whose process this is.
        marker = f"-P {self._environment.data_dir}"
        arguments = (
            f"{marker} -l {known.address} -p {known.port} -U 0 -m {known.ram_mib - RESERVED_MIB} -t {known.vcpus}"
        )
        return EngineServer(
            self._environment.process,
            Program(
                argv=(str(home / "bin" / "memcached"), *arguments.split(" ")),
                marker=marker,
                log=self._log,
                cwd=self._own_dir,
                pid=self._noted_pid,
                ready=lambda _pid: answers(known.address, known.port),
            ),
        )

    # [commands]
    def commands(self) -> Mapping[str, Callable[[Any], Mapping[str, Any] | None]]:
        """The core, which every engine has; each capability would add some (``trove.datastores.spi.METHODS``)."""
        return {
            "prepare": self.prepare,
            "start": lambda _asked: self._run(self._wanted(desired="running")),
            "stop": self.stop,
            "restart": lambda _asked: self._run(self._wanted(desired="running"), again=True),
            "reconfigure": self.reconfigure,
        }

    def prepare(self, asked: command.Prepare) -> None:
        """Run for the first time. A repeated one changes nothing."""
        known = self._states.get() or State(
            address=asked.address,
            port=asked.port,
            vcpus=asked.shape.vcpus,
            ram_mib=asked.shape.ram_mib,
            volume_gib=asked.shape.volume_gib,
            admin_password="",  # memcached has no accounts
            socket_dir="",
            prepared=True,
        )
        self._run(known)

    def reconfigure(self, asked: command.Reconfigure) -> None:
        """Take another amount of memory; the old one is put back when memcached does not start with it."""
        before = self._wanted(desired="running")
        try:
            self._run(msgspec.structs.replace(before, vcpus=asked.shape.vcpus, ram_mib=asked.shape.ram_mib), again=True)
        except spi.EngineError as err:
            self._run(before, again=True)
            raise spi.EngineError(
                "engine.configuration_refused", "memcached did not start with the new size; it runs with the old one."
            ) from err

    def stop(self, _asked: command.StopEngine | None) -> None:
        """End it, and keep it ended across restarts of the agent."""
        self._states.put(self._wanted(desired="stopped"))
        self._require_server().stop()

    # [status]
    def status(self) -> spi.EngineStatus:
        """Look at the process, then ask it."""
        known, server = self._states.get(), self._server
        if known is None or server is None:
            return spi.EngineStatus("building")
        if server.pid() is None:
            if known.desired == "stopped":
                return spi.EngineStatus("shutdown", "memcached was stopped on request.")
            if server.crash_reason is not None:
                return spi.EngineStatus("failed", server.crash_reason)
            return spi.EngineStatus("crashed", "memcached ended unexpectedly; it is being started again.")
        if not answers(known.address, known.port):
            return spi.EngineStatus("blocked", "memcached does not answer; restart the instance if this lasts.")
        return spi.EngineStatus("healthy")

    def inventory(self) -> spi.InventorySnapshot | None:
        """There are neither databases nor users."""
        return None if self._server is None else spi.InventorySnapshot()

    def supervise(self) -> None:
        """Bring it back when it should run and does not."""
        known = self._states.get()
        if known is not None and known.desired == "running":
            self._require_server().supervise()
            self._note_pid()

    def limit_logs(self) -> None:
        """Whatever clients have it log, the files stay small."""
        logs.rotate(self._log)

    def log_files(self) -> Sequence[Path]:
        """What memcached says on standard error."""
        return logs.with_rotated(self._log)

    # [details]
    def _run(self, known: State, *, again: bool = False) -> None:
        if again:
            self._require_server().stop()
        self._server = self._make_server(known)
        self._server.start()
        self._note_pid()
        self._states.put(known)

    def _wanted(self, desired: Any) -> State:
        known = self._states.get()
        if known is None:
            raise spi.EngineError("engine.not_prepared", "memcached has not been set up yet.")
        return msgspec.structs.replace(known, desired=desired)

    def _require_server(self) -> EngineServer:
        if self._server is None:
            raise spi.EngineError("engine.not_prepared", "memcached has not been set up yet.")
        return self._server

    def _note_pid(self) -> None:
        """Remember the process for the next agent; memcached writes its own file only as a daemon."""
        pid = self._require_server().pid()
        if pid is not None and pid != self._noted_pid():
            files.write_private(self._pid_file, f"{pid}\n")

    def _noted_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None


def answers(address: str, port: int) -> bool:
    """Ask for the version; bounded to two seconds."""
    try:
        with socket.create_connection((address, port), timeout=1) as stream:
            stream.settimeout(1)
            stream.sendall(b"version\r\n")
            return stream.recv(64).startswith(b"VERSION ")
    except OSError:
        return False


def make_handler(environment: spi.GuestEnvironment) -> MemcachedHandler:
    """Entry point of the group ``trove.datastores.guest``."""
    return MemcachedHandler(environment)
