# SPDX-License-Identifier: Apache-2.0
"""Let a PostgreSQL server take the values of a configuration group.

The server itself is the judge, twice. ``postgres -C`` reads a configuration file, checks that its values fit each other
and ends: what it refuses would not have started. ``pg_file_settings`` tells the running server's opinion of the file
before it is read again; what it cannot apply is either wrong or, by ``pg_settings.pending_restart``, waits for a start.

Values that a session of the service does not get in with are taken back: by the file, and by a signal, which needs no
session.
"""

import contextlib
import datetime
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import psycopg2

from trove.common import clock
from trove.datastores import spi
from trove.datastores.enginelib.configuration import refused
from trove.datastores.enginelib.server import EngineServer
from trove.datastores.enginelib.state import Values
from trove.datastores.postgresql import config, facts
from trove.datastores.postgresql.guest.access import execute
from trove.datastores.postgresql.guest.cluster import Cluster
from trove.datastores.postgresql.guest.connection import MAINTENANCE_DATABASE, Connect, is_away, reason

#: Seconds that the server may take to read its configuration again.
_RELOAD = 30.0
#: Known only after everything else has been checked; older servers print any other parameter at once.
_LAST = "shared_memory_size"
_LAST_SINCE = 15

#: What a failed program's message has in front of what the server said.
_SAID = re.compile(r"^.* ended with status \d+: (?:postgres: )?(?:.*?(?:FATAL|ERROR|DETAIL|HINT): *)?")
_FILE = "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL AND name IS NOT NULL"
_PENDING = "SELECT name FROM pg_settings WHERE pending_restart"
_KNOWN = "SELECT name FROM pg_settings WHERE lower(name) = ANY(%s)"


class Tuning:
    """Implements :class:`trove.datastores.enginelib.configuration.Adapter`.

    :param render: returns the text of our configuration file with these values.
    :param server: lets the server read its configuration again, without a session.
    """

    def __init__(
        self,
        environment: spi.GuestEnvironment,
        home: Path,
        own_dir: Path,
        cluster: Cluster,
        session: Connect,
        *,
        render: Callable[[Values], str],
        server: EngineServer,
    ) -> None:
        self._environment = environment
        self._program = home / "bin" / "postgres"
        self._own_dir = own_dir
        self._cluster = cluster
        self._session = session
        self._render = render
        self._server = server

    def examine(self, values: Values) -> None:
        """See :meth:`trove.datastores.enginelib.configuration.Adapter.examine`."""
        directory = Path(tempfile.mkdtemp(prefix=".check-", dir=self._own_dir))
        try:
            self._examine_in(directory, values)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def apply(self, values: Values, names: Collection[str]) -> Collection[str]:
        """See :meth:`trove.datastores.enginelib.configuration.Adapter.apply`."""
        before = self._cluster.read_config()
        self._cluster.write_config(self._render(values))
        try:
            with self._session(MAINTENANCE_DATABASE) as connection:
                errors = {name.lower(): error for name, error in execute(connection, _FILE)}
                # Of this session, which has just read the file; the server has not.
                later = {name.lower() for (name,) in execute(connection, _PENDING)}
                lowered = [name.lower() for name in values]
                known = {name.lower() for (name,) in execute(connection, _KNOWN, values=(lowered,))}
            for name in values:
                if name.lower() not in known:
                    raise refused(name, "it has no such parameter")
                if name.lower() in errors.keys() - later:
                    raise refused(name, "it is not a value that it takes")
            self._reload_with(names)
        except BaseException:
            self._take_back(before)
            raise
        return [name for name in names if name.lower() in later]

    def _reload_with(self, names: Collection[str]) -> None:
        """Reload, and refuse values that keep the service out: they could never be taken off."""
        try:
            self.reload()
        except psycopg2.OperationalError as err:
            if is_away(err):
                raise
            raise refused(", ".join(names), f"with it the service itself is kept out: {reason(err)}") from err

    def reload(self) -> None:
        """Let the server read its configuration again, and wait until it has.

        :raises EngineError: ``engine.busy``.
        """
        deadline = clock.monotonic() + _RELOAD
        with self._session(MAINTENANCE_DATABASE) as connection:
            ((before,),) = execute(connection, "SELECT pg_conf_load_time()")
            execute(connection, "SELECT pg_reload_conf()")
        self._await_loaded(before, deadline)

    def _await_loaded(self, before: Any, deadline: float) -> None:
        # A new session has what the server itself has.
        while self._loaded() <= before:
            if clock.monotonic() > deadline:
                raise spi.EngineError("engine.busy", "The database server does not read its configuration; try again.")
            clock.sleep(0.02)

    def _take_back(self, before: str) -> None:
        """Let the server run with the former file; a session may be had only when it does."""
        self._cluster.write_config(before)
        asked = clock.utcnow().replace(tzinfo=datetime.UTC)
        self._server.reload()
        deadline = clock.monotonic() + _RELOAD
        while (
            self._server.pid() is not None and clock.monotonic() < deadline
        ):  # one that is started again reads the file
            with contextlib.suppress(psycopg2.Error):
                if self._loaded() >= asked:
                    return
            clock.sleep(0.02)

    def _loaded(self) -> Any:
        with self._session(MAINTENANCE_DATABASE) as connection:
            ((moment,),) = execute(connection, "SELECT pg_conf_load_time()")
            return moment

    def _examine_in(self, directory: Path, values: Values) -> None:
        """Check in a directory that looks like a data directory to a server that is not going to start."""
        data = self._cluster.path
        (directory / "global").mkdir()
        for name in ("PG_VERSION", "global/pg_control", "postgresql.conf"):
            shutil.copyfile(data / name, directory / name)
        (directory / config.FILE_NAME).write_text(self._render(values), encoding="utf-8")
        problem = self._problem(directory, {})
        if problem is None:
            return
        (directory / config.FILE_NAME).write_text(self._render({}), encoding="utf-8")
        for name, value in values.items():
            if found := self._problem(directory, {name: config.spell(value)}):
                raise refused(name, found)
        raise refused(", ".join(values), problem)

    def _problem(self, directory: Path, options: Mapping[str, str]) -> str | None:
        version = facts.major((directory / "PG_VERSION").read_text())
        shown = _LAST if version >= _LAST_SINCE else "max_connections"
        argv = [str(self._program), "-D", str(directory), "-C", shown]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        try:
            self._environment.process.run(argv, env={"LC_ALL": "C.UTF-8", "TZ": "UTC"})
        except spi.EngineError as err:
            return _SAID.sub("", err.message)
        return None
