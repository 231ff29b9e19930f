# SPDX-License-Identifier: Apache-2.0
"""Real engines under test: which are installed, and one instance of one of them.

An :class:`Instance` is what a guest agent has: a handler from the entry point, directories, an address of its own with
the engine's standard port. It is stopped when its test ends.
"""

import contextlib
import os
import random
import re
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from trove.datastores import registry, spi
from trove.guestagent.system import process
from trove.tests.contract.datastores import clients, images
from trove.tests.fixtures import unprivileged
from trove.wire import command

SMALL = command.ShapeSpec(vcpus=1, ram_mib=256, volume_gib=1)
LARGE = command.ShapeSpec(vcpus=64, ram_mib=512 * 1024, volume_gib=1000)
ADMIN_PASSWORD = "the administrator's own"


def installed() -> list[tuple[str, spi.EngineInstallation]]:
    """Return (plugin name, installation) for every engine on this host and in its images, newest first."""
    found: list[tuple[str, spi.EngineInstallation]] = [
        (name, there) for name, plugin in registry.load_plugins().items() for there in plugin.detect()
    ]
    present = {(name, there.version) for name, there in found}
    found += [(name, inside) for name, inside in images.installed() if (name, inside.version) not in present]
    return sorted(found, key=lambda item: [int(part) for part in re.findall(r"\d+", item[1].version)], reverse=True)


def make_handler(manager: str, environment: spi.GuestEnvironment) -> spi.GuestHandler:
    """Make the guest half as the agent does, from its entry point."""
    (entry,) = {
        entry.value: entry for entry in metadata.entry_points(group="trove.datastores.guest", name=manager)
    }.values()
    factory: spi.GuestHandlerFactory = entry.load()
    return factory(environment)


def free_address(port: int) -> str:
    """Return a loopback address of its own on which ``port`` is free."""
    while True:
        address = f"127.{random.randint(80, 120)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, port))
            return address


class Instance:
    """One engine with its handler."""

    def __init__(
        self, manager: str, installation: spi.EngineInstallation, directory: Path, templates: Path | None = None
    ) -> None:
        self.manager = manager
        self.plugin = registry.load_plugins()[manager]
        self.address = (free_address(self.plugin.port), self.plugin.port)
        (directory / "data").mkdir(parents=True)
        (directory / "state").mkdir()
        self.environment = spi.GuestEnvironment(
            engine_home=installation.home,
            engine_version=installation.version,
            data_dir=directory / "data",
            state_dir=directory / "state",
            template_dir=templates,
            process=images.make_process(installation, directory / "data", directory / "state"),
            engine_root=images.root_of(installation),
        )
        self.handler = make_handler(manager, self.environment)

    def agent_restarts(self) -> None:
        """What remains after kill -9 of the agent: the engine, the files, and a new handler that knows nothing else."""
        self.handler = make_handler(self.manager, self.environment)

    def do(self, asked: command.Command) -> Mapping[str, Any] | None:
        """Run a command as the agent's dispatcher does."""
        return self.handler.commands()[asked.name](asked)

    @property
    def small(self) -> command.ShapeSpec:
        """The smallest shape of these tests that the engine runs in."""
        fits = not self.plugin.validate_size(SMALL.ram_mib, SMALL.volume_gib)
        return SMALL if fits else command.ShapeSpec(vcpus=1, ram_mib=512, volume_gib=1)

    def prepare(self, shape: command.ShapeSpec | None = None) -> None:
        """Make the instance run, in its smallest shape."""
        host, port = self.address
        self.do(command.Prepare(shape=shape or self.small, address=host, port=port, admin_password=ADMIN_PASSWORD))

    def connect(self, user: str, password: str, database: str) -> clients.Client:
        """Connect as a tenant."""
        return clients.connect(self.manager, self.address, user, password, database)

    def can(self, capability: spi.Capability) -> bool:
        """Tell whether the engine has ``capability``."""
        return capability in self.plugin.capabilities

    def admit(self, user: str, password: str, database: str = "shop") -> None:
        """Let a tenant in: make its database, where there are databases, and the user with access to it."""
        if self.can(spi.Capability.DATABASES):
            self.do(command.CreateDatabases(databases=[command.DatabaseSpec(name=database)]))
        if self.can(spi.Capability.USERS):
            access = [database] if self.can(spi.Capability.ACCESS) else []
            self.do(command.CreateUsers(users=[command.UserSpec(name=user, password=password, databases=access)]))

    def pids(self) -> list[int]:
        """Return the processes of this host that have the instance's data directory in their command line."""
        marker = str(self.environment.data_dir)
        return [
            int(entry)
            for entry in os.listdir("/proc")
            if entry.isdigit() and marker in process.command_line(int(entry)) and not images.is_wrapper(int(entry))
        ]

    def await_end(self, pid: int, seconds: float = 60) -> None:
        """Wait until a process that was killed is gone, and its parent, if that is us, knows."""
        deadline = time.monotonic() + seconds
        marker = str(self.environment.data_dir)
        while pid in self.pids() or self.environment.process.is_alive(pid, marker):
            if time.monotonic() > deadline:
                raise AssertionError(f"process {pid} does not end")
            time.sleep(0.01)

    def await_status(self, wanted: str, seconds: float = 90) -> spi.EngineStatus:
        """Do what the agent does each second until the status is ``wanted``."""
        deadline = time.monotonic() + seconds
        while True:
            self.handler.supervise()
            status = self.handler.status()
            if status.status == wanted:
                return status
            if time.monotonic() > deadline:
                raise AssertionError(f"the status is {status}, not {wanted}; log:\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        """Return what the engine has logged."""
        return "".join(path.read_text(errors="replace") for path in self.handler.log_files() if path.exists())

    def await_log(self, text: str, seconds: float = 90) -> None:
        """Wait until the engine has logged ``text``."""
        deadline = time.monotonic() + seconds
        while text not in self.log():
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} is not in the log:\n{self.log()}")
            time.sleep(0.05)

    def destroy(self) -> None:
        """End every process of the instance."""
        # A killed PostgreSQL leaves shared memory behind; the others have nothing to leave.
        numbers = (signal.SIGQUIT, signal.SIGKILL) if self.manager == "postgresql" else (signal.SIGKILL,)
        for number in numbers:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + (5 if number == signal.SIGQUIT else 30)
            while self.pids() and time.monotonic() < deadline:
                time.sleep(0.02)


class EngineTestCase(unprivileged.UnprivilegedTestCase):
    """A test on the real engine ``installation`` of the plugin ``manager``; set by :func:`for_each_engine`."""

    manager = ""
    installation: spi.EngineInstallation

    def instance(self, templates: Path | None = None) -> Instance:
        """Return a new instance, not yet prepared."""
        # Short, because the path of a socket may have 107 bytes and no test is about that unless it says so.
        directory = Path(tempfile.mkdtemp(prefix="e"))
        made = Instance(self.manager, self.installation, directory, templates)
        self.addCleanup(made.destroy)
        self.addOnException(lambda _info: self._attach_engine_log(made))
        return made

    def prepared(self, **kwargs: Any) -> Instance:
        """Return a new running instance."""
        made = self.instance(**kwargs)
        made.prepare()
        return made

    def assert_refused(self, symbol: str, call: Callable[..., Any], *args: Any) -> spi.EngineError:
        """Check that the handler refuses with ``symbol`` and a sentence that fits the wire."""
        error = self.assertRaises(spi.EngineError, call, *args)
        self.assertEqual(symbol, error.symbol)
        self.assertTrue(0 < len(error.message) <= 255)
        return error

    def _attach_engine_log(self, instance: Instance) -> None:
        from testtools import content

        self.addDetail("engine log", content.text_content(instance.log()))


def for_each_engine(
    namespace: dict[str, Any],
    case: type[EngineTestCase],
    *,
    newest_only: bool = False,
    needs: spi.Capability | None = None,
    managers: Sequence[str] | None = None,
) -> None:
    """Put one subclass of ``case`` per installed engine into a test module's ``namespace``.

    :param needs: leave out engines without this capability.
    :param managers: leave out all engines but these.
    """
    seen: set[str] = set()
    plugins = registry.load_plugins()
    for manager, installation in installed():
        if newest_only and manager in seen:
            continue
        if managers is not None and manager not in managers:
            continue
        if needs is not None and needs not in plugins[manager].capabilities:
            continue
        seen.add(manager)
        version = "".join(char if char.isalnum() else "_" for char in installation.version)
        name = f"{case.__name__}_{manager}_{version}"
        attributes = {"manager": manager, "installation": installation, "__module__": namespace["__name__"]}
        namespace[name] = type(name, (case,), attributes)
    # The base itself has no engine to run on.
    namespace.pop(case.__name__, None)
