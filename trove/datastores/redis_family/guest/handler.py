# SPDX-License-Identifier: Apache-2.0
"""The guest half of Redis and Valkey: turns commands into work of its parts.

The process and its life are of :mod:`trove.datastores.enginelib`; here is what is the family's own: the files of an
instance, the access list that shuts everybody out before the first start, and the rule that a server is not stopped
while it holds writes that it could not put on disk.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib import commands, conditions, files, host, logs, sockets, state
from trove.datastores.enginelib.commands import Method
from trove.datastores.enginelib.configuration import Configurator
from trove.datastores.enginelib.data import DataDirectory
from trove.datastores.enginelib.lifecycle import Engine, Lifecycle
from trove.datastores.enginelib.server import EngineServer
from trove.datastores.enginelib.state import State, StateFile
from trove.datastores.enginelib.switches import Switches
from trove.datastores.redis_family import acl, config, sizing
from trove.datastores.redis_family.guest import health, inventory, resp, server
from trove.datastores.redis_family.guest.configuration import Tuning
from trove.datastores.redis_family.guest.users import Users
from trove.datastores.redis_family.product import Product
from trove.datastores.redis_family.protected import PROTECTION
from trove.wire import command

_READY_TIMEOUT = 1.0


class FamilyHandler:
    """Implements :class:`trove.datastores.spi.GuestHandler`."""

    version = "1"

    def __init__(self, environment: spi.GuestEnvironment, product: Product) -> None:
        self._product = product
        self._own_dir = files.private_directory(environment.state_dir / product.name)
        self._data = DataDirectory(environment.data_dir, product.name)
        self._config = self._own_dir / f"{product.name}.conf"
        self._pid_file = self._own_dir / "server.pid"
        self._log = self._own_dir / "server.log"
        self._states = StateFile(self._own_dir / "state.json", State)
        #: The state of an instance that is being prepared, before it is written down.
        self._preparing: State | None = None
        self._marked_pid: int | None = None
        argv = server.argv(environment, product, self._config, self._data.path)
        self._server = EngineServer(
            environment.process, server.program(argv, self._config, self._pid_file, self._log, self._is_ready)
        )
        self._lifecycle = Lifecycle(
            Engine(
                title=product.title,
                min_ram_mib=sizing.MIN_RAM_MIB,
                data_dir=self._data.path,
                refresh=self._refresh,
                configure=self._configure,
                read_config=lambda: self._config.read_text(encoding="utf-8"),
                restore_config=lambda text: files.write_private(self._config, text),
                probe=lambda known: health.probe(_address(known)),
                log_files=self.log_files,
                log_bytes=lambda: health.log_bytes(self._data.path / config.AOF_DIRECTORY),
                disk_full=health.DISK_FULL,
            ),
            self._server,
            self._states,
        )
        tuning = Tuning(
            environment.process,
            argv[0],
            self._own_dir,
            self._session,
            self._states,
            render=lambda values: self._render(msgspec.structs.replace(self._lifecycle.known(), in_force=dict(values))),
            template=lambda: config.parameters(self._settings(self._lifecycle.known())),
        )
        self._configurator = Configurator(self._lifecycle, tuning, protection=PROTECTION, spell=config.spell)
        self._switches = Switches(self._lifecycle)
        self._users = Users(self._session)

    # -- interface -----------------------------------------------------------------------------------------------------

    def commands(self) -> Mapping[str, Method]:
        """See :meth:`trove.datastores.spi.GuestHandler.commands`."""
        methods: dict[str, Method] = {
            **commands.common(self._lifecycle, self._configurator, self._switches),
            "prepare": self.prepare,
            "stop": lambda _asked: self.stop(),
            "restart": lambda _asked: self.restart(),
            "reconfigure": self.reconfigure,
            "grow_volume": self.grow_volume,
            "create_users": lambda asked: self._users.create(asked.users),
            "alter_user": self._users.alter,
            "drop_user": lambda asked: self._users.drop(asked.user.name),
            "enable_root": lambda asked: self._users.enable_root(asked.password),
            "disable_root": lambda _asked: self._users.disable_root(),
        }
        return commands.translated(methods, _told)

    def status(self) -> spi.EngineStatus:
        """See :meth:`trove.datastores.spi.GuestHandler.status`."""
        return self._lifecycle.status()

    def inventory(self) -> spi.InventorySnapshot | None:
        """See :meth:`trove.datastores.spi.GuestHandler.inventory`."""
        known = self._states.get()
        if known is None or not known.prepared or self._server.pid() is None:
            return None
        try:
            with resp.session(_address(known)) as connection:
                return inventory.read(connection)
        except (resp.Unreachable, resp.ReplyError):
            return None

    def supervise(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.supervise`."""
        self._lifecycle.supervise()
        self._mark_socket()

    def limit_logs(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.limit_logs`."""
        logs.rotate(self._log)

    def log_files(self) -> Sequence[Path]:
        """See :meth:`trove.datastores.spi.GuestHandler.log_files`."""
        return logs.with_rotated(self._log)

    def logs(self) -> Sequence[spi.EngineLog]:
        """See :meth:`trove.datastores.spi.GuestHandler.logs`. Statements are in no log."""
        return [spi.EngineLog("server", "SYS", logs.with_rotated(self._log))]

    # -- commands ------------------------------------------------------------------------------------------------------

    def prepare(self, asked: command.Prepare) -> None:
        """Make an empty, running server that asks everybody for a password from its first second.

        Repeated after success it changes nothing; repeated after a crash it begins again.

        :raises EngineError: ``engine.data_exists``, ``engine.no_memory``, ``engine.program``, ``engine.start_failed``.
        """
        known = self._states.get()
        if known is not None and known.prepared:
            self._data.finish()
            self._lifecycle.start()
        else:
            self._lifecycle.require_memory(asked.shape)
            self._make(asked)
        self._configurator.settle(asked.configuration, self.restart)

    def _make(self, asked: command.Prepare) -> None:
        self._server.stop()
        fresh = msgspec.structs.replace(state.of(State, asked, self._usable_socket_dir(None)), prepared=True)
        with self._lifecycle.deliberately():
            files.private_directory(self._data.begin())
            self._preparing = fresh
            try:
                self._secure(fresh)
                self._configure(fresh)
                self._server.start()
            finally:
                self._preparing = None
            # This order: a finished directory that the state does not know of could never be prepared again.
            self._states.put(fresh)
            self._data.finish()

    def stop(self) -> None:
        """Stop the server and keep it stopped, also across restarts of the agent.

        :raises EngineError: ``engine.unsaved_writes``: it goes on running.
        """
        self._refuse_to_lose_writes()
        self._lifecycle.stop()

    def restart(self) -> None:
        """Stop and start the server.

        :raises EngineError: ``engine.unsaved_writes``: it goes on running.
        """
        self._refuse_to_lose_writes()
        self._lifecycle.restart()

    def reconfigure(self, asked: command.Reconfigure) -> None:
        """Give the server the configuration for another shape and restart it; it runs afterwards, with the new or the
        old one.

        :raises EngineError: ``engine.no_memory``: the shape is too small for the data, and nothing was changed;
            ``engine.unsaved_writes``; ``engine.configuration_refused``.
        """
        self._lifecycle.require_memory(asked.shape)
        self._lifecycle.require_running()
        found = self._info()
        allowed = _sizing(asked.shape.vcpus, asked.shape.ram_mib, asked.shape.volume_gib).maxmemory
        used = int(found.get("used_memory_dataset", "0")) // 2**20
        if used >= allowed:
            raise spi.EngineError(
                "engine.no_memory",
                f"The data takes {used} MiB, and this size has {allowed} MiB for data; delete some of it first.",
            )
        self._refuse_to_lose_writes()
        self._lifecycle.reconfigure(asked)

    def grow_volume(self, asked: command.GrowVolume) -> None:
        """Use the larger volume: the append-only file may grow with it. Needs no restart."""
        wanted = self._lifecycle.set_volume(asked.volume_gib)
        if self._server.pid() is not None and "auto-aof-rewrite-min-size" not in wanted.in_force:
            minimum = _sizing(wanted.vcpus, wanted.ram_mib, wanted.volume_gib).rewrite_from
            with self._session() as connection:
                connection.call("CONFIG", "SET", "auto-aof-rewrite-min-size", f"{minimum}mb")

    # -- details -------------------------------------------------------------------------------------------------------

    def _is_ready(self, _pid: int) -> bool:
        known = self._preparing or self._states.get()
        if known is None:
            return False
        try:
            with resp.session(_address(known), _READY_TIMEOUT) as connection:
                return bool(connection.call("PING") == "PONG")
        except resp.ReplyError as err:
            # Clients were quicker; they could not connect to a server that is not there.
            return resp.TOO_MANY in err.text
        except resp.Unreachable:
            return False

    @contextlib.contextmanager
    def _session(self) -> Iterator[resp.Connection]:
        with resp.session(_address(self._lifecycle.known()), wait=resp.CONNECTION_WAIT) as connection:
            yield connection

    def _info(self) -> Mapping[str, str]:
        """Return what the server says of itself; nothing when it does not run or answer."""
        if self._server.pid() is None:
            return {}
        try:
            with self._session() as connection:
                return resp.parse_info(connection.call("INFO", "all"))
        except (resp.Unreachable, resp.ReplyError):
            return {}

    def _refuse_to_lose_writes(self) -> None:
        """Refuse to end a server that holds writes it has acknowledged and could not put on disk."""
        self._lifecycle.known()
        if health.write_fails(self._info()):
            raise spi.EngineError(
                "engine.unsaved_writes",
                "The last changes are in memory only, because writing to the volume fails; stopping now would lose "
                f"them. {health.DISK_FULL.remedy}",
            )

    def _settings(self, known: State) -> config.Settings:
        return config.Settings(
            sizing=_sizing(known.vcpus, known.ram_mib, known.volume_gib),
            address=known.address,
            port=known.port,
            socket_dir=Path(known.socket_dir),
            acl_file=self._acl_file,
            pid_file=self._pid_file,
        )

    def _render(self, known: State) -> str:
        group = {name: config.spell(value) for name, value in known.in_force.items()}
        return config.render(self._settings(known), group)

    def _configure(self, known: State) -> None:
        files.write_private(self._config, self._render(known))

    @property
    def _acl_file(self) -> Path:
        # On the volume: users belong to the data, wherever that goes.
        return self._data.path / config.ACL_FILE

    def _secure(self, known: State) -> None:
        """See that the access list on disk lets nobody in who has not proved a password.

        Without the line for the default account the engine takes it as open to everybody.
        """
        try:
            present = self._acl_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            present = ""
        wanted = acl.secured(present, known.admin_password)
        if wanted != present:
            files.write_private(self._acl_file, wanted)

    def _refresh(self, known: State) -> State:
        self._secure(known)
        return msgspec.structs.replace(known, socket_dir=self._usable_socket_dir(known.socket_dir))

    def _usable_socket_dir(self, current: str | None) -> str:
        return sockets.usable_directory(self._own_dir / "run", current, config.SOCKET_NAME)

    def _mark_socket(self) -> None:
        """Note the server's pid beside a socket in the shared temporary directory, or somebody may clean it away."""
        known, pid = self._states.get(), self._server.pid()
        if known is None or pid in (None, self._marked_pid) or Path(known.socket_dir).parent == self._own_dir:
            return
        with contextlib.suppress(OSError):
            sockets.write_lock(Path(known.socket_dir), config.SOCKET_NAME, pid)
            self._marked_pid = pid


def _address(known: State) -> resp.Address:
    return resp.Address(Path(known.socket_dir), known.admin_password)


def _sizing(vcpus: int, ram_mib: int, volume_gib: int) -> sizing.Sizing:
    return sizing.compute(vcpus, ram_mib, volume_gib, host.ram_mib())


def _told(err: Exception) -> spi.EngineError | None:
    if isinstance(err, resp.Unreachable | resp.ReplyError) and resp.is_away(err):
        return spi.EngineAway(str(err))
    if isinstance(err, resp.ReplyError):
        return commands.refused(health.reason(err))
    if isinstance(err, OSError) and conditions.from_error(err) is not None:
        return spi.EngineError("engine.disk_full", str(health.DISK_FULL))
    return None
