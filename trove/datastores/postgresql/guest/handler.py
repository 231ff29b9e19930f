# SPDX-License-Identifier: Apache-2.0
"""The guest half of PostgreSQL: turns commands into work of its parts.

It *has* a cluster (the files), a server (the process), databases, users and access (SQL); it does none of that itself.
Commands and ``supervise`` come from one thread, ``status`` from any. Starting, stopping and the status are
:class:`trove.datastores.enginelib.lifecycle.Lifecycle`'s. Everything it must remember is in one state file, so a new
handler after a crash of the agent goes on where the old one was.
"""

import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg2

from trove.datastores import spi
from trove.datastores.enginelib import commands, files, host, lifecycle, logs, sockets, state
from trove.datastores.enginelib.commands import Method
from trove.datastores.enginelib.configuration import Configurator
from trove.datastores.enginelib.server import EngineServer
from trove.datastores.enginelib.state import State, StateFile, Values
from trove.datastores.enginelib.switches import Switches
from trove.datastores.postgresql import config, facts, installations, sizing
from trove.datastores.postgresql.guest import connection as sessions
from trove.datastores.postgresql.guest import inventory, server
from trove.datastores.postgresql.guest.access import Access
from trove.datastores.postgresql.guest.cluster import Cluster
from trove.datastores.postgresql.guest.configuration import Tuning
from trove.datastores.postgresql.guest.databases import Databases
from trove.datastores.postgresql.guest.users import Users
from trove.datastores.postgresql.protected import PROTECTION
from trove.wire import command

#: The log that an owner can switch: every statement.
GENERAL_LOG = "general"
#: Log files kept, and what they may have together. The server begins another at 10 MB, but not twice in a second.
LOG_FILES_KEPT = 5
LOG_BYTES = 50 * 1024 * 1024


class PostgreSQLHandler:
    """Implements :class:`trove.datastores.spi.GuestHandler`."""

    version = "1"

    def __init__(self, environment: spi.GuestEnvironment) -> None:
        self._own_dir = files.private_directory(environment.state_dir / facts.NAME)
        self._log_dir = files.private_directory(self._own_dir / "log")
        self._startup_log = self._own_dir / "startup.log"
        self._state = StateFile(self._own_dir / "state.json", State)
        home = environment.engine_home or _installed(environment)
        self._cluster = Cluster(environment, home)
        data = self._cluster.path
        self._server = EngineServer(
            environment.process, server.program(environment.process, home, data, self._startup_log)
        )
        self._lifecycle = lifecycle.Lifecycle(
            lifecycle.Engine(
                title="PostgreSQL",
                min_ram_mib=sizing.MIN_RAM_MIB,
                data_dir=environment.data_dir,
                refresh=self._with_socket_dir,
                configure=self._write_config,
                read_config=self._cluster.read_config,
                restore_config=self._cluster.write_config,
                probe=self._probe,
                log_files=self.log_files,
                log_bytes=functools.partial(server.wal_bytes, data),
            ),
            self._server,
            self._state,
        )
        self._tuning = Tuning(
            environment,
            home,
            self._own_dir,
            self._cluster,
            self._session,
            render=self._rendered_with,
            server=self._server,
        )
        self._configurator = Configurator(self._lifecycle, self._tuning, protection=PROTECTION, spell=config.spell)
        self._switches = Switches(self._lifecycle, (GENERAL_LOG,), lambda _name, _enabled: self._tuning.reload())
        access = Access(self._session)
        self._databases = Databases(self._session, access)
        self._users = Users(self._session, access)

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
            "drop_user": lambda asked: self._users.drop(asked.user.name),
            "grant_access": lambda asked: self._users.grant(asked.user.name, asked.databases),
            "revoke_access": lambda asked: self._users.revoke(asked.user.name, asked.database),
            "enable_root": lambda asked: self._users.enable_root(asked.password),
            "disable_root": lambda asked: self._users.disable_root(),
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
            with self._session(sessions.MAINTENANCE_DATABASE) as connection:
                return inventory.read(connection)
        except psycopg2.Error:
            return None

    def supervise(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.supervise`."""
        self._lifecycle.supervise()

    def limit_logs(self) -> None:
        """See :meth:`trove.datastores.spi.GuestHandler.limit_logs`."""
        logs.bound(self._collected_logs(), LOG_BYTES, LOG_FILES_KEPT)
        logs.rotate(self._startup_log, keep=1)

    def log_files(self) -> Sequence[Path]:
        """See :meth:`trove.datastores.spi.GuestHandler.log_files`."""
        return [*logs.with_rotated(self._startup_log, keep=1), *self._collected_logs()]

    def logs(self) -> Sequence[spi.EngineLog]:
        """See :meth:`trove.datastores.spi.GuestHandler.logs`. Statements are in the server's one log."""
        return [spi.EngineLog(GENERAL_LOG, "USER", self._collected_logs(), enabled=GENERAL_LOG in self._switches.on())]

    # -- commands ------------------------------------------------------------------------------------------------------

    def prepare(self, asked: command.Prepare) -> None:
        """Make an empty, running server that asks everybody for a password from its first second.

        Repeated after success it changes nothing; repeated after a crash it begins again.

        :raises EngineError: ``engine.data_exists``, ``engine.no_memory``, ``engine.program``, ``engine.start_failed``.
        """
        known = self._state.get()
        if known is not None and known.prepared:
            self._cluster.finish()
            self._lifecycle.start()
        else:
            self._lifecycle.require_memory(asked.shape)
            with self._lifecycle.deliberately():
                self._make(asked)
        self._configurator.settle(asked.configuration, self._lifecycle.restart)

    def _make(self, asked: command.Prepare) -> None:
        self._server.stop()
        fresh = state.of(State, asked, self._usable_socket_dir(None, asked.port))
        first_password = self._cluster.create(asked.admin_password)
        self._state.put(msgspec.structs.replace(fresh, admin_password=first_password))
        self._write_config(fresh)
        self._cluster.write_hba(open_to_clients=False)
        self._server.start()
        if first_password != asked.admin_password:
            self._users.set_admin_password(asked.admin_password)
            self._state.put(fresh)
        self._databases.secure()
        self._cluster.write_hba(open_to_clients=True)
        self._server.reload()
        # This order: a finished directory that the state does not know of could never be prepared again.
        self._state.put(msgspec.structs.replace(fresh, prepared=True))
        self._cluster.finish()
        # initdb and the copy did not wait for the disk; nor does the reply.
        threading.Thread(target=files.sync_file_system, args=(self._cluster.path,), name="sync", daemon=True).start()

    def grow_volume(self, asked: command.GrowVolume) -> None:
        """Use the larger volume: the write-ahead log may grow with it. Needs no restart."""
        self._lifecycle.set_volume(asked.volume_gib)
        self._server.reload()

    # -- details -------------------------------------------------------------------------------------------------------

    def _collected_logs(self) -> list[Path]:
        # Names begin with the time of their first line, so their order is their age.
        return sorted(self._log_dir.glob("postgresql-*.log"))

    def _probe(self, known: State) -> None:
        try:
            sessions.probe(self._address(known), lifecycle.PROBE_TIMEOUT)
        except sessions.ProbeTimeout:
            raise lifecycle.NoAnswer(
                f"The database server did not answer in {lifecycle.PROBE_TIMEOUT:.0f} seconds."
            ) from None
        except psycopg2.Error as err:
            raise lifecycle.NoAnswer(f"The database server takes no queries: {sessions.reason(err)}") from err

    def _address(self, known: State) -> sessions.Address:
        return sessions.Address(Path(known.socket_dir), known.port, known.admin_password, self._cluster.major)

    @contextmanager
    def _session(self, database: str) -> Iterator[Any]:
        with sessions.session(self._address(self._state.begun()), database) as connection:
            yield connection

    def _rendered_with(self, values: Values) -> str:
        return self._rendered(msgspec.structs.replace(self._lifecycle.known(), in_force=dict(values)))

    def _write_config(self, known: State) -> None:
        self._cluster.write_config(self._rendered(known))

    def _rendered(self, known: State) -> str:
        settings = config.Settings(
            sizing=sizing.compute(known.vcpus, known.ram_mib, known.volume_gib, host.ram_mib()),
            address=known.address,
            port=known.port,
            socket_dir=Path(known.socket_dir),
            log_dir=self._log_dir,
            log_statements=GENERAL_LOG in known.logs,
        )
        # In lower case, as initdb writes them: of two lines for one parameter only the last one counts then.
        return config.render(settings, {name.lower(): config.spell(value) for name, value in known.in_force.items()})

    def _with_socket_dir(self, known: State) -> State:
        """Return the state with a directory for the socket that exists: one in the temporary directory may have been
        cleaned.
        """
        usable = self._usable_socket_dir(known.socket_dir, known.port)
        return msgspec.structs.replace(known, socket_dir=usable)

    def _usable_socket_dir(self, current: str | None, port: int) -> str:
        return sockets.usable_directory(self._own_dir / "run", current, f".s.PGSQL.{port}")


def make_handler(environment: spi.GuestEnvironment) -> PostgreSQLHandler:
    """Entry point of the group ``trove.datastores.guest``."""
    return PostgreSQLHandler(environment)


def _told(err: Exception) -> spi.EngineError | None:
    if not isinstance(err, psycopg2.Error):
        return None
    return (spi.EngineAway if sessions.is_away(err) else commands.refused)(sessions.reason(err))


def _installed(environment: spi.GuestEnvironment) -> Path:
    """Return the home of the installed engine of this version, or of its major version."""
    version = environment.engine_version
    found = installations.find(environment.engine_root or installations.HOST)
    for exact in (True, False):
        for item in found:
            if item.version == version or (not exact and facts.major(item.version) == facts.major(version)):
                return item.home
    raise spi.EngineError("engine.not_installed", f"PostgreSQL {version} is not installed in this guest.")
