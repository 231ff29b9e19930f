# SPDX-License-Identifier: Apache-2.0
"""Whatever a tenant sets, the service's own sessions do their work, and what was set can be taken off.

The whole catalogue of an engine is walked: each parameter that a configuration group may set gets its smallest value,
its largest one, and each of its words, on a real server. Values go in by the dozen, because the service's work after
each single one would take an hour; when it fails, they are halved until those that do it are known. What the engine
refuses counts as well: it must say so, and run with what it had.
"""

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from trove.datastores import parameter_values, parameters, spi
from trove.tests.contract.datastores import clients, engines
from trove.wire import command
from trove.wire.command import ConfigValue

Values = dict[str, ConfigValue]
#: How many values are tried together.
_TOGETHER = 40
#: More is no matter of sessions, and would be taken from the machine that runs the tests: what counts after a restart
#: only is the size of something, mostly.
_LARGEST = {False: 2**28, True: 2**16}
#: Text that does harm where a session believes it.
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "DateStyle": ("German, DMY",),
    "TimeZone": ("Pacific/Kiritimati",),
    "client_encoding": ("LATIN1",),
    "search_path": ("nowhere",),
    "log_connections": ("all",),
    "log_line_prefix": ("",),
    "character_set_server": ("ucs2", "latin1"),
    "collation_server": ("utf8mb4_bin",),
    "init_connect": ("SELECT nothing FROM nowhere",),
    "sql_mode": ("ANSI", "NO_BACKSLASH_ESCAPES", "ORACLE", ""),
    "old_mode": ("UTF8_IS_UTF8MB3", ""),
    "optimizer_switch": ("derived_merge=off",),
    "lc_time_names": ("de_DE",),
    "time_zone": ("+05:30", "SYSTEM"),
    "client-output-buffer-limit": ("normal 64mb 64mb 1", "normal 0 0 0 pubsub 1 1 1"),
    "notify-keyspace-events": ("KEA",),
    "save": ("1 1", ""),
}


def rounds(known: parameters.Parameters, *, restart: bool) -> list[Values]:
    """Return the values to try: what comes first of each parameter, what comes next, and so on."""
    wanted = {
        name: [value for value in _candidates(parameter) if parameter_values.check(parameter, value) is None]
        for name, parameter in known.items()
        if not parameter.protected and parameter.restart is restart
    }
    longest = max(map(len, wanted.values()))
    return [{name: values[turn] for name, values in wanted.items() if turn < len(values)} for turn in range(longest)]


def _candidates(parameter: parameters.Parameter) -> list[ConfigValue]:
    if parameter.type == "boolean":
        return [True, False]
    if parameter.values or parameter.name in _TEXTS:
        return list(parameter.values or _TEXTS[parameter.name])
    if parameter.type not in ("integer", "suffixed", "float", "size", "size-or-percent"):
        return []
    largest = _LARGEST[parameter.restart]
    numbers = [parameter.min or 0, 1, parameter.floor or 0, min(parameter.max or largest, largest)]
    return list(dict.fromkeys([*numbers, 0.001] if parameter.type == "float" else numbers))


class ServiceSessions(engines.EngineTestCase):
    """One engine, and the work that the service does in it."""

    timeout: ClassVar[int] = 300

    def setUp(self) -> None:
        super().setUp()
        self.one = self.prepared()
        self.known = self.one.plugin.parameters(self.installation.version)
        self.refused: dict[str, str] = {}

    def test_no_parameter_that_counts_at_once_reaches_them(self) -> None:
        self.walk(restart=False)

    def test_no_parameter_that_counts_after_a_restart_reaches_them(self) -> None:
        self.walk(restart=True)

    def test_nothing_that_a_tenant_does_reaches_them(self) -> None:
        if not self.one.can(spi.Capability.DATABASES):
            self.skipTest("without databases there is nothing that a tenant may set")
        self.one.do(command.EnableRoot(password="root's own"))
        root = self.one.connect(self.one.plugin.root_name, "root's own", _FIRST_DATABASE[self.manager])
        self.addCleanup(root.close)
        root.execute("CREATE DATABASE mine")
        for statement, allowed in _OWN_WAYS[self.manager]:
            if allowed:
                root.execute(statement)
            else:
                self.assertRaises(clients.Failed, root.execute, statement)
        self.work(database="mine", made=True)
        root.close()
        self.one.do(command.DropDatabase(database="mine"))
        self.one.do(command.DisableRoot())

    def test_tenants_who_use_all_connections_leave_them_theirs(self) -> None:
        one = self.one
        one.admit("ann", "secret")
        if not one.can(spi.Capability.DATABASES):
            one.do(command.Configure(values={"maxclients": 16}))
        with contextlib.ExitStack() as held:
            with contextlib.suppress(clients.Refused):
                while True:
                    held.callback(one.connect("ann", "secret", "shop").close)
            if one.can(spi.Capability.DATABASES):
                self.work(others=["ann"])
                one.do(command.Configure(values={}))
                return
            # These keep no connection for administrators; but what did that can be taken off.
            self.assertEqual({"restart_required": ["maxclients"]}, one.do(command.Configure(values={})))
            one.do(command.Restart())
        self.work(others=["ann"])

    def test_values_that_keep_them_out_are_taken_back(self) -> None:
        name, value, tenants = _SHUT_OUT.get(self.manager, (None, 0, 0))
        if name is None:
            self.skipTest("no value does that to this engine")
        for number in range(tenants):
            self.one.do(command.CreateUsers(users=[command.UserSpec(name=f"u{number}", password="pw", databases=[])]))
            self.addCleanup(self.one.connect(f"u{number}", "pw", "").close)
        others = [f"u{number}" for number in range(tenants)]
        self.assertIsNotNone(parameter_values.check(self.known[name], value), "the request is refused already")
        asked = command.Configure(values={name: value})
        self.assertIn("kept out", self.assert_refused("configuration.refused", self.one.do, asked).message)
        self.work(others=others)
        self.one.do(command.Restart())
        self.work(others=others)

    # -- the walk ------------------------------------------------------------------------------------------------------

    def walk(self, *, restart: bool) -> None:
        harmful: dict[str, str] = {}
        tried = 0
        for turn in rounds(self.known, restart=restart):
            tried += len(turn)
            items = iter(turn.items())
            while group := dict(itertools.islice(items, _TOGETHER)):
                self.attempt(group, restart, harmful)
        self.assertEqual({}, harmful)
        self.assertLess(len(self.refused), tried / 4, f"too much is refused to prove anything: {self.refused}")

    def attempt(self, group: Values, restart: bool, harmful: dict[str, str]) -> None:
        """Try values together, and take them off; of those that do harm, note each."""
        try:
            self.apply(group, restart)
            self.work()
            self.one.do(command.Configure(values={}))
            if restart:
                self.one.do(command.Restart())
            self.work()
        except Exception as err:  # boundary: whatever it was, one of the values did it
            self.recover()
            if len(group) == 1:
                harmful[str(group)] = repr(err)
                return
            for half in _halves(group):
                self.attempt(half, restart, harmful)

    def apply(self, group: Values, restart: bool) -> None:
        """Give the engine the values, but those that it refuses."""
        left = dict(group)
        while left:
            try:
                self.one.do(command.Configure(values=left))
                if restart:
                    self.one.do(command.Restart())
                return
            except spi.EngineError as err:
                named = list(left) if len(left) == 1 else [name for name in left if f"'{name}'" in err.message]
                if err.symbol != "configuration.refused" or len(named) != 1:
                    raise
                self.refused[f"{named[0]} = {left.pop(named[0])}"] = err.message

    def recover(self) -> None:
        """Let the engine run without values, and without what the work left, whatever it says."""
        one = self.one
        for pid in one.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            one.await_end(pid)
        one.do(command.Configure(values={}, apply=False))
        one.do(command.Restart())
        one.await_status("healthy")
        for asked in (command.DropUser(user=command.UserKey(name="worker")), command.DropDatabase(database="work")):
            with contextlib.suppress(KeyError):  # an engine without databases
                one.do(asked)

    # -- the work ------------------------------------------------------------------------------------------------------

    def work(self, database: str = "work", *, made: bool = False, others: list[str] | None = None) -> None:
        """What the service does all the time: look, list, make and remove.

        :param made: the database is there, and stays.
        :param others: the users that are there.
        """
        one = self.one
        has_databases = one.can(spi.Capability.DATABASES)
        status = one.handler.status()
        self.assertEqual("healthy", status.status, status)
        if has_databases and not made:
            one.do(command.CreateDatabases(databases=[command.DatabaseSpec(name=database)]))
        access = [database] if has_databases else []
        one.do(command.CreateUsers(users=[command.UserSpec(name="worker", password="pw", databases=access)]))
        self.assertEqual({"worker", *(others or ())}, self.users())
        if has_databases:
            one.do(command.RevokeAccess(user=command.UserKey(name="worker"), database=database))
        one.do(command.DropUser(user=command.UserKey(name="worker")))
        if has_databases and not made:
            one.do(command.DropDatabase(database=database))
        self.assertEqual(set(others or ()), self.users())

    def users(self) -> set[str]:
        found = self.one.handler.inventory()
        assert found is not None, "the inventory cannot be read"
        return {user.name for user in found.users}


def _halves(values: Values) -> Iterator[Values]:
    middle = len(values) // 2
    yield dict(itertools.islice(values.items(), middle))
    yield dict(itertools.islice(values.items(), middle, None))


#: What root connects to before it has a database.
_FIRST_DATABASE = {"postgresql": "postgres", "mariadb": "", "mysql": ""}
_REFUSED_BY_MYSQL = tuple(
    (statement, False)
    for statement in (
        "SET GLOBAL wait_timeout = 1",
        "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
        "SET GLOBAL init_connect = 'SELECT nothing'",
        "SET GLOBAL max_connections = 1",
        "ALTER USER 'os_admin'@'localhost' ACCOUNT LOCK",
    )
)
#: (statement of root's, whether it may).
_OWN_WAYS: Mapping[str, tuple[tuple[str, bool], ...]] = {
    "postgresql": (
        *(
            (f"ALTER DATABASE mine SET {name} = {value}", True)
            for name, value in {
                "search_path": "nowhere", "statement_timeout": 1, "lock_timeout": 1, "idle_session_timeout": 1,
                "idle_in_transaction_session_timeout": 1, "default_transaction_read_only": "on",
                "default_transaction_isolation": "serializable", "datestyle": "German", "client_encoding": "LATIN1",
                "standard_conforming_strings": "off", "row_security": "on", "default_tablespace": "nowhere",
            }.items()
        ),
        ("ALTER ROLE ALL SET statement_timeout = 1", False),
        ("ALTER ROLE os_admin SET statement_timeout = 1", False),
        ("ALTER DATABASE postgres SET statement_timeout = 1", False),
        ("ALTER SYSTEM SET statement_timeout = 1", False),
    ),
    "mariadb": _REFUSED_BY_MYSQL,
    "mysql": _REFUSED_BY_MYSQL,
}  # fmt: skip
#: (parameter, a value that keeps the service out, tenants who are connected meanwhile).
_SHUT_OUT: Mapping[str, tuple[Any, ConfigValue, int]] = {
    "postgresql": ("transaction_timeout", 1, 0),
    "redis": ("maxclients", 2, 1),
    "valkey": ("maxclients", 2, 1),
}

engines.for_each_engine(globals(), ServiceSessions, needs=spi.Capability.CONFIGURATION, newest_only=True)
