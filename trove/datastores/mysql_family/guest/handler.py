# SPDX-License-Identifier: Apache-2.0
"""The guest half of MariaDB and MySQL: turns commands into work of its parts.

It *has* a data directory (the files), a server (the process), a lifecycle (when it starts and stops), databases, users
and root (SQL), and a dialect (what tells the sisters apart); it does none of that itself. Commands and ``supervise``
come from one thread, ``status`` from any. Everything it must remember is in one state file, so a new handler after a
crash of the agent goes on where the old one was. Nothing here depends on the time of day.
"""

import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pymysql

from trove.datastores import spi
from trove.datastores.enginelib import commands, files, host, lifecycle, logs, sockets, state
from trove.datastores.enginelib.commands import Method
from trove.datastores.enginelib.configuration import Configurator
from trove.datastores.enginelib.server import EngineServer
from trove.datastores.enginelib.state import State, StateFile
from trove.datastores.enginelib.switches import Switches
from trove.datastores.mysql_family import config, installations, sizing
from trove.datastores.mysql_family.guest import connection as sessions
from trove.datastores.mysql_family.guest import inventory, server
from trove.datastores.mysql_family.guest.configuration import Tuning
from trove.datastores.mysql_family.guest.databases import Databases
from trove.datastores.mysql_family.guest.datadir import DataDir
from trove.datastores.mysql_family.guest.dialect import Dialect
from trove.datastores.mysql_family.guest.root import Root
from trove.datastores.mysql_family.guest.users import Users
from trove.datastores.mysql_family.protected import PROTECTION
from trove.wire import command

#: Seconds that the server's program may take to read an option file.
_CHECK = 20.0


class FamilyHandler:
    """Implements :class:`trove.datastores.spi.GuestHandler`."""

    version = "1"

    def __init__(self, environment: spi.GuestEnvironment, dialect: Dialect) -> None:
        self._dialect = dialect
        self._engine_version = environment.engine_version
        self._own_dir = files.private_directory(environment.state_dir / dialect.family.name)
        self._log = self._own_dir / "error.log"
        self._state = StateFile(self._own_dir / "state.json", State)
        home, program = _installed(environment, dialect)
        self._data = DataDir(environment, dialect, self._own_dir, home, program)
        self._server = EngineServer(
            environment.process, server.program(program, self._own_dir, self._data.path, self._log, self._socket)
        )
        self._lifecycle = lifecycle.Lifecycle(
            lifecycle.Engine(
                title=dialect.family.title,
                min_ram_mib=dialect.family.min_ram_mib,
                data_dir=environment.data_dir,
                refresh=self._with_directories,
                configure=self._write_config,
                read_config=self._data.read_config,
                restore_config=self._data.write_config,
                probe=self._probe,
                log_files=self.log_files,
                log_bytes=functools.partial(server.redo_bytes, self._data.path),
            ),
            self._server,
            self._state,
        )

        def check(options: Path) -> None:
            argv = list(dialect.check_argv(program, options, self._data.path))
            environment.process.run(argv, env={"LC_ALL": "C.UTF-8", "TZ": "UTC"}, timeout=_CHECK)

        tuning = Tuning(
            self._own_dir,
            self._session,
            self._state,
            check=check,
            probe=lambda: self._probe(self._lifecycle.known()),
            render=lambda values: self._render(msgspec.structs.replace(self._lifecycle.known(), in_force=dict(values))),
            template=lambda: dialect.settings(self._settings(self._lifecycle.known()), self._engine_version),
        )
        self._configurator = Configurator(self._lifecycle, tuning, protection=PROTECTION, spell=config.spell)
        self._switches = Switches(self._lifecycle, tuple(config.LOG_SWITCHES), self._tell_logs)
        self._databases = Databases(self._session, dialect)
        self._users = Users(self._session, dialect)
        self._root = Root(self._session, dialect)

    # -- interface -----------------------------------------------------------------------------------------------------

    def commands(self) -> Mapping[str, Method]:
        """See :meth:`trove.datastores.spi.GuestHandler.commands`."""
        methods: dict[str, Method] = {
            **commands.common(self._lifecycle, self._configurator, self._switches),
            "prepare": self.prepare,
            "grow_volume": self.grow_volume,
            "create_databases": lambda asked: self._databases.create(asked.databases),
            "drop_database": lambda asked: self._databases.drop(asked.database),
            "create_users": lambda asked: self._users.create(asked.users),
            "alter_user": self._users.alter,
            "drop_user": lambda asked: self._users.drop(asked.user),
            "grant_access": lambda asked: self._users.grant(asked.user, asked.databases),
            "revoke_access": lambda asked: self._users.revoke(asked.user, asked.database),
            "enable_root": lambda asked: self._root.enable(asked.password),
            "disable_root": lambda _asked: self._root.disable(),
        }
        return commands.translated(methods, _told)

    def status(self) -> spi.EngineStatus:
        """See :meth:`trove.datastores.spi.GuestHandler.status`."""
        return self._lifecycle.status()

    def inventory(self) -> spi.InventorySnapshot | None:
        """See :meth:`trove.datastores.spi.GuestHandler.inventory`."""
        known = self._state.get()
        if known is None or not known.prepared or not self._server.accepting():
            return None
        try:
            with self._session() as connection:
                return inventory.read(connection, self._dialect)
        except pymysql.Error:
            return None

    def supervise(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.supervise`."""
        self._lifecycle.supervise()

    def limit_logs(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.limit_logs`."""
        for path in (self._log, *self._owners_logs().values()):
            logs.rotate(path)

    def log_files(self) -> Sequence[Path]:
        """See :meth:`trove.datastores.spi.GuestHandler.log_files`."""
        return logs.with_rotated(self._log)

    def logs(self) -> Sequence[spi.EngineLog]:
        """See :meth:`trove.datastores.spi.GuestHandler.logs`."""
        return [
            *(
                spi.EngineLog(name, "USER", logs.with_rotated(path), enabled=name in self._switches.on())
                for name, path in self._owners_logs().items()
            ),
            spi.EngineLog("error", "SYS", logs.with_rotated(self._log)),
        ]

    # -- commands ------------------------------------------------------------------------------------------------------

    def prepare(self, asked: command.Prepare) -> None:
        """Make an empty, running server that asks everybody for a password from its first second.

        Repeated after success it changes nothing; repeated after a crash it begins again.

        :raises EngineError: ``engine.data_exists``, ``engine.no_memory``, ``engine.program``, ``engine.start_failed``,
            ``engine.disk_full``.
        """
        known = self._state.get()
        if known is not None and known.prepared:
            self._data.finish()
            self._lifecycle.start()
        else:
            self._lifecycle.require_memory(asked.shape)
            with self._lifecycle.deliberately():
                self._make(asked)
        self._configurator.settle(asked.configuration, self._lifecycle.restart)

    def _make(self, asked: command.Prepare) -> None:
        self._server.stop()
        fresh = state.of(State, asked, self._usable_socket_dir(None))
        self._data.create()
        self._state.put(fresh)
        self._data.write_first_statements(self._dialect.first_statements(asked.admin_password))
        self._data.write_config(self._render(fresh, init_file=self._data.init_file))
        self._server.start()
        # A server that lost its first statements (a full disk, say) must not be declared prepared.
        with self._session() as connection:
            sessions.execute(connection, "SELECT 1")
        self._write_config(fresh)
        # This order: a finished directory that the state does not know of could never be prepared again.
        self._state.put(msgspec.structs.replace(fresh, prepared=True))
        self._data.finish()
        # The copy did not wait for the disk; nor does the reply.
        threading.Thread(target=files.sync_file_system, args=(self._data.path,), name="sync", daemon=True).start()

    def grow_volume(self, asked: command.GrowVolume) -> None:
        """Use the larger volume: the redo log grows with it, at once where the version can, else at the next start."""
        known = self._lifecycle.set_volume(asked.volume_gib)
        if self._server.accepting():
            with self._session() as connection:
                for name, value in self._dialect.dynamic(self._settings(known), self._engine_version).items():
                    if name in known.in_force:  # the owner's choice
                        continue
                    sessions.execute(connection, f"SET GLOBAL {name} = %s", values=(value,))

    # -- details -------------------------------------------------------------------------------------------------------

    def _probe(self, known: State) -> None:
        try:
            sessions.probe(self._address(known), lifecycle.PROBE_TIMEOUT)
        except sessions.ProbeTimeout:
            raise lifecycle.NoAnswer(
                f"The database server did not answer in {lifecycle.PROBE_TIMEOUT:.0f} seconds."
            ) from None
        except pymysql.Error as err:
            raise lifecycle.NoAnswer(f"The database server takes no queries: {sessions.reason(err)}") from err

    def _address(self, known: State) -> sessions.Address:
        socket = Path(known.socket_dir) / sessions.SOCKET
        return sessions.Address(socket, known.admin_password, self._dialect.session_settings())

    @contextmanager
    def _session(self) -> Iterator[Any]:
        with sessions.session(self._address(self._state.begun())) as connection:
            yield connection

    def _socket(self) -> Path | None:
        known = self._state.get()
        return None if known is None else self._address(known).socket

    def _settings(self, known: State, init_file: Path | None = None) -> config.Settings:
        return config.Settings(
            sizing=sizing.compute(known.vcpus, known.ram_mib, known.volume_gib, host.ram_mib()),
            address=known.address,
            port=known.port,
            socket=self._address(known).socket,
            pid_file=self._own_dir / "mysqld.pid",
            tmp_dir=self._data.tmp_dir,
            log_dir=self._own_dir,
            logs=known.logs,
            init_file=init_file,
        )

    def _render(self, known: State, init_file: Path | None = None) -> str:
        group = {name: config.spell(value) for name, value in known.in_force.items()}
        return config.render(self._dialect.settings(self._settings(known, init_file), self._engine_version), group)

    def _owners_logs(self) -> Mapping[str, Path]:
        return {name: config.log_file(self._own_dir, name) for name in config.LOG_SWITCHES}

    def _tell_logs(self, name: str, enabled: bool) -> None:
        with self._session() as connection:
            sessions.execute(connection, "SET GLOBAL {} = %s", config.LOG_SWITCHES[name], values=(enabled,))

    def _write_config(self, known: State) -> None:
        self._data.write_config(self._render(known))

    def _with_directories(self, known: State) -> State:
        """Return the state with a directory for the socket that exists: one in the temporary directory may have been
        cleaned.
        """
        return msgspec.structs.replace(known, socket_dir=self._usable_socket_dir(known.socket_dir))

    def _usable_socket_dir(self, current: str | None) -> str:
        return sockets.usable_directory(self._own_dir / "run", current, sessions.SOCKET)


def _told(err: Exception) -> spi.EngineError | None:
    if not isinstance(err, pymysql.Error):
        return None
    return (spi.EngineAway if sessions.is_away(err) else commands.refused)(sessions.reason(err))


def _installed(environment: spi.GuestEnvironment, dialect: Dialect) -> tuple[Path, Path]:
    """Return the home of the engine and its server, as the engine sees them.

    A home without a recognised server is taken as it is told: the start will say what is wrong, when it is asked for.

    :raises EngineError: ``engine.not_installed``, when nobody says where the engine is and it is not found.
    """
    family, home = dialect.family, environment.engine_home
    if home is None:
        found = installations.find(family, environment.engine_root or installations.HOST)
        wanted = family.series(environment.engine_version)
        homes = [item.home for item in found if wanted is not None and family.series(item.version) == wanted]
        if not homes:
            raise spi.EngineError(
                "engine.not_installed", f"{family.title} {environment.engine_version} is not installed in this guest."
            )
        home = homes[0]
    program = installations.server_program(family, home, environment.engine_root)
    return home, program or next(installations.programs(family, home))
