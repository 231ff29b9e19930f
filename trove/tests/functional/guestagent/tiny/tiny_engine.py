# SPDX-License-Identifier: Apache-2.0
"""A datastore as a third party would bring it: its engine is a process that sleeps, its databases are lines of a file.

It imports only what a guest may. Special names of databases make it misbehave: ``slow`` waits until the file ``go`` is
in the data directory, ``suicide`` kills the agent once.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trove.common import clock
from trove.datastores import spi
from trove.wire import command, report


class TinyHandler:
    version = "tiny-1"

    def __init__(self, environment: spi.GuestEnvironment) -> None:
        self._process = environment.process
        self._data = environment.data_dir
        self._pid_file = environment.state_dir / "engine.pid"
        self._log = environment.state_dir / "engine.log"
        for name in environment.options.get("preload", ()):  # what another engine's handler would have loaded
            importlib.import_module(name)

    def commands(self) -> Mapping[str, Callable[[Any], Mapping[str, Any] | None]]:
        return {"prepare": self._prepare, "create_databases": self._create_databases, "stop": self._stop}

    def _prepare(self, order: command.Prepare) -> Mapping[str, Any]:
        (self._data / "prepared").touch()
        self.supervise()
        return {"pid": self._pid()}

    def _stop(self, order: command.StopEngine) -> None:
        (self._data / "prepared").unlink(missing_ok=True)
        if self._alive():
            self._process.signal(self._pid(), signal.SIGKILL)

    def _create_databases(self, order: command.CreateDatabases) -> None:
        with open(self._data / "attempts", "a") as attempts:
            for spec in order.databases:
                attempts.write(f"{spec.name}\n")
        for spec in order.databases:
            if spec.name == "slow":
                while not (self._data / "go").exists():
                    clock.sleep(0.02)
            if spec.name == "suicide" and not (self._data / "died").exists():
                (self._data / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if spec.name == "bad":
                raise spi.EngineError("database.bad", "That one is bad.")
            if spec.name not in self._databases():
                with open(self._data / "databases", "a") as databases:
                    databases.write(f"{spec.name}\n")

    def status(self) -> spi.EngineStatus:
        if not (self._data / "prepared").exists():
            return spi.EngineStatus("building")
        return spi.EngineStatus("healthy" if self._alive() else "crashed")

    def inventory(self) -> spi.InventorySnapshot | None:
        if not self._alive():
            return None
        return spi.InventorySnapshot(databases=[report.InventoryDatabase(name=name) for name in self._databases()])

    def supervise(self) -> None:
        if (self._data / "prepared").exists() and not self._alive():
            pid = self._process.start(
                [sys.executable, "-c", "import time; time.sleep(600)", str(self._data)],
                env={},
                log=self._log,
                cwd=self._data,
            )
            self._pid_file.write_text(str(pid))

    def limit_logs(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.limit_logs`."""

    def log_files(self) -> Sequence[Path]:
        return [self._log]

    def _databases(self) -> list[str]:
        path = self._data / "databases"
        return sorted(path.read_text().split()) if path.exists() else []

    def _pid(self) -> int:
        return int(self._pid_file.read_text()) if self._pid_file.exists() else 0

    def _alive(self) -> bool:
        return self._process.is_alive(self._pid(), str(self._data))


def make_handler(environment: spi.GuestEnvironment) -> TinyHandler:
    return TinyHandler(environment)
