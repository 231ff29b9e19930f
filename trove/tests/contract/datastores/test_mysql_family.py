# SPDX-License-Identifier: Apache-2.0
# covers: trove/datastores/mariadb/guest
# covers: trove/datastores/mysql/guest
# covers: trove/datastores/mysql_family/guest
"""What is particular to MariaDB and MySQL, on real servers; each trap that was met once has its test here."""

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pymysql

from trove.datastores import spi
from trove.datastores.enginelib import files
from trove.datastores.mysql_family import config, sizing
from trove.guestagent.system import process
from trove.tests.contract.datastores import clients, engines
from trove.wire import command

MANAGERS = ("mariadb", "mysql")
SHAPE = command.ShapeSpec(vcpus=1, ram_mib=512, volume_gib=1)


def user(name: str, password: str = "pw", *databases: str, host: str = "%") -> command.UserSpec:
    return command.UserSpec(name=name, password=password, host=host, databases=list(databases))


def key(name: str, host: str = "%") -> command.UserKey:
    return command.UserKey(name=name, host=host)


class FamilyTestCase(engines.EngineTestCase):
    def running(self, templates: pathlib.Path | None = None) -> engines.Instance:
        """Return a running instance with the database ``a`` and its user ``ann``."""
        one = self.instance(templates)
        one.prepare(SHAPE)
        self.databases(one, "a")
        one.do(command.CreateUsers(users=[user("ann", "pa", "a")]))
        return one

    @staticmethod
    def databases(one: engines.Instance, *names: str) -> None:
        one.do(command.CreateDatabases(databases=[command.DatabaseSpec(name=name) for name in names]))

    def client(
        self, one: engines.Instance, name: str = "ann", password: str = "pa", where: str = "a"
    ) -> clients.Client:
        client = one.connect(name, password, where)
        self.addCleanup(client.close)
        return client

    def admin(self, one: engines.Instance, password: str = engines.ADMIN_PASSWORD) -> Any:
        (socket,) = one.environment.state_dir.rglob("mysqld.sock")
        connection = pymysql.connect(unix_socket=str(socket), user="os_admin", password=password, autocommit=True)
        self.addCleanup(lambda: connection.open and connection.close())
        return connection

    def ask(self, connection: Any, statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def settings(self, one: engines.Instance) -> dict[str, str]:
        (path,) = one.environment.state_dir.rglob("my.cnf")
        return config.parse(path.read_text())

    def access(self, one: engines.Instance) -> dict[tuple[str, str], list[str]]:
        found = one.handler.inventory()
        assert found is not None
        return {(item.name, item.host): item.databases for item in found.users}

    def names(self, one: engines.Instance) -> list[str]:
        found = one.handler.inventory()
        assert found is not None
        return [item.name for item in found.databases]


class Security(FamilyTestCase):
    def test_one_account_and_only_on_the_private_socket(self) -> None:
        one = self.running()
        self.assertEqual(
            [("ann", "%"), ("os_admin", "localhost")],
            [
                (name, host)
                for name, host in self.ask(self.admin(one), "SELECT User, Host FROM mysql.user ORDER BY User")
                if not name.startswith(("mariadb.", "mysql."))
            ],
        )
        self.assertEqual((), tuple(self.ask(self.admin(one), "SELECT * FROM mysql.proxies_priv")))
        # As the account that owns the server, over the private socket: unix_socket would let it in.
        self.assertRaises(pymysql.Error, self.admin, one, "")
        self.assertRaises(pymysql.Error, self.admin, one, "wrong")
        for name, password in (
            ("os_admin", engines.ADMIN_PASSWORD),
            ("root", ""),
            ("", ""),
            ("mariadb.sys", ""),
            ("mysql.sys", ""),
            ("ann", ""),
            ("ann", "wrong"),
        ):
            self.assertRaises(clients.Refused, one.connect, name, password, "")
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "mysql")
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "test")

    def test_secrets_are_in_private_files_only(self) -> None:
        one = self.running()
        one.do(command.AlterUser(user=key("ann"), new_password="in-the-clear"))
        for path in (*one.environment.state_dir.rglob("*"), *one.environment.data_dir.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                self.assertNotIn(b"in-the-clear", content, path)
                if engines.ADMIN_PASSWORD.encode() in content:
                    self.assertEqual(("state.json", 0o600), (path.name, stat.S_IMODE(path.stat().st_mode)))
        self.assertEqual([], list(one.environment.state_dir.rglob("init.sql")))
        (pid,) = one.pids()
        self.assertNotIn(engines.ADMIN_PASSWORD, process.command_line(pid))

    def test_a_name_with_wildcards_opens_no_other_database(self) -> None:
        one = self.running()
        for name, other in (("a_b", "axb"), ("c%", "cd"), ("e\\_f", "e\\xf")):
            self.databases(one, name, other)
            one.do(command.CreateUsers(users=[user(f"u{name}", "pw", name)]))
            self.client(one, f"u{name}", "pw", name).execute("CREATE TABLE t (n int)")
            self.assertRaises(clients.Refused, one.connect, f"u{name}", "pw", other)
            self.assertEqual([name], self.access(one)[(f"u{name}", "%")])
            one.do(command.RevokeAccess(user=key(f"u{name}"), database=name))
            self.assertRaises(clients.Refused, one.connect, f"u{name}", "pw", name)

    def _refused(self, client: clients.Client, *statements: str) -> None:
        for statement in statements:
            try:
                client.execute(statement)
            except clients.Failed:
                continue
            raise AssertionError(f"was allowed: {statement}")

    _NOT_FOR_TENANTS = (
        "SELECT 1 INTO OUTFILE '/tmp/trove-test-outfile'",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
        "SHUTDOWN",
        "SET GLOBAL max_connections = 1",
        "SET GLOBAL general_log = 1",
        "SET GLOBAL read_only = 1",
        "FLUSH TABLES WITH READ LOCK",
        "INSTALL PLUGIN x SONAME 'x.so'",
        "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
        "SELECT * FROM mysql.user",
        "UPDATE mysql.db SET Db = '%'",
        "GRANT ALL PRIVILEGES ON *.* TO 'ann'@'%'",
        "GRANT FILE ON *.* TO 'ann'@'%'",
        "GRANT ALL PRIVILEGES ON `mysql`.* TO 'ann'@'%'",
        "GRANT SELECT ON mysql.user TO 'ann'@'%'",
        "GRANT PROXY ON 'os_admin'@'localhost' TO 'ann'@'%'",
        "ALTER USER 'os_admin'@'localhost' IDENTIFIED BY 'x'",
        "RENAME USER 'os_admin'@'localhost' TO 'os_admin'@'%'",
        "DROP USER 'os_admin'@'localhost'",
        "CREATE DEFINER = 'os_admin'@'localhost' PROCEDURE p() DELETE FROM mysql.user",
        "CREATE DEFINER = 'os_admin'@'localhost' VIEW v AS SELECT * FROM mysql.user",
        "CREATE DEFINER = 'os_admin'@'localhost' EVENT e ON SCHEDULE EVERY 1 SECOND DO DELETE FROM mysql.user",
    )

    def test_what_a_tenant_may_not(self) -> None:
        one = self.running()
        client = self.client(one)
        client.execute("CREATE TABLE t (n int)")
        self._refused(client, *self._NOT_FOR_TENANTS, "CREATE DATABASE other", "CREATE USER 'x'@'%'")
        self._refused(client, "GRANT SELECT ON `a`.* TO 'ann'@'%'")
        self.assertEqual([(None,)], client.execute("SELECT LOAD_FILE('/etc/passwd')"))

    def test_no_table_lies_outside_the_volume(self) -> None:
        one = self.running()
        client = self.client(one)
        # As the account that runs the server: with that alone, a table could be put here.
        elsewhere = pathlib.Path(tempfile.mkdtemp())
        for engine in ("InnoDB", "MyISAM", "Aria"):
            with contextlib.suppress(clients.Failed):
                client.execute(f"CREATE TABLE out_{engine} (n int) ENGINE = {engine} DATA DIRECTORY = '{elsewhere}'")
        self.assertEqual([], list(elsewhere.rglob("*")))

    def test_what_root_may_not(self) -> None:
        one = self.running()
        self.databases(one, "b")
        one.do(command.EnableRoot(password="r"))
        root = self.client(one, "root", "r", "b")
        root.execute("CREATE TABLE t (n int)")
        self._refused(root, *self._NOT_FOR_TENANTS)
        # Each would be a way around the rows that shield the engine's own databases.
        for pattern in ("%", "mysq_", "my%", "mysql", "sys", "performance_schema", "_ysql"):
            self._refused(root, f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO 'ann'@'%'")
            self._refused(root, f"GRANT SELECT ON `{pattern}`.* TO 'root'@'%' WITH GRANT OPTION")
        self._refused(
            root,
            "INSERT INTO mysql.db SELECT * FROM mysql.db",
            "CREATE TABLE mysql.x (n int)",
            "DROP TABLE mysql.user",
            "DROP DATABASE mysql",
            "DROP DATABASE sys",
            "CREATE VIEW sys.x AS SELECT 1",
            "CREATE PROCEDURE sys.x() SELECT 1",
            "CREATE PROCEDURE mysql.x() SELECT 1",
            "CREATE TRIGGER mysql.x BEFORE INSERT ON mysql.user FOR EACH ROW SET @x = 1",
            "UPDATE performance_schema.setup_actors SET ENABLED = 'NO'",
            "SELECT * FROM mysql.global_priv",
            "SELECT * FROM mysql.proxies_priv",
            "SET PASSWORD FOR 'os_admin'@'localhost' = 'x'",
            "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'os_admin'@'localhost'",
            "GRANT SELECT ON b.* TO 'os_admin'@'localhost' IDENTIFIED BY 'x'",
        )
        self.assertEqual([(None,)], root.execute("SELECT LOAD_FILE('/etc/passwd')"))
        self.assertEqual("healthy", one.handler.status().status)
        self.assertEqual({("ann", "%"): ["a"]}, self.access(one))

    def test_what_root_may(self) -> None:
        one = self.running()
        self.client(one).execute("CREATE TABLE t (n int)")
        one.do(command.EnableRoot(password="r"))
        root = self.client(one, "root", "r", "a")
        root.execute("INSERT INTO t VALUES (1)")
        root.execute("CREATE DATABASE of_root")
        root.execute("CREATE TABLE of_root.t (n int)")
        root.execute("CREATE VIEW of_root.v AS SELECT * FROM a.t")
        one.do(command.CreateUsers(users=[user("bob", "pb")]))
        root.execute("GRANT SELECT ON `a`.* TO 'bob'@'%'")
        self.assertEqual(["a"], self.access(one)[("bob", "%")])
        self.assertEqual([(1,)], self.client(one, "bob", "pb").execute("SELECT n FROM t"))
        # After the next change of root by Trove it may hand on what it made, too.
        one.do(command.EnableRoot(password="r"))
        self.client(one, "root", "r", "a").execute("GRANT SELECT ON `of\\_root`.* TO 'bob'@'%'")
        self.assertEqual(["a", "of_root"], self.access(one)[("bob", "%")])
        one.do(command.DropDatabase(database="of_root"))
        self.assertEqual(["a"], self.access(one)[("bob", "%")])
        one.do(command.DisableRoot())
        self.assertRaises(clients.Refused, one.connect, "root", "r", "a")


class Hosts(FamilyTestCase):
    def test_a_user_is_a_name_at_a_host(self) -> None:
        one = self.running()
        one.do(command.CreateUsers(users=[user("ann", "there", "a", host="10.1.2.%")]))
        self.assertEqual({("ann", "%"): ["a"], ("ann", "10.1.2.%"): ["a"]}, self.access(one))
        self.client(one)
        self.assertRaises(clients.Refused, one.connect, "ann", "there", "a")
        one.do(command.DropUser(user=key("ann")))
        self.assertEqual({("ann", "10.1.2.%"): ["a"]}, self.access(one))
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "a")

    def test_a_new_host_keeps_password_and_access(self) -> None:
        one = self.running()
        asked = command.AlterUser(user=key("ann"), new_host="10.0.0.0/255.0.0.0")
        for _ in range(2):
            one.do(asked)
            self.assertEqual({("ann", "10.0.0.0/255.0.0.0"): ["a"]}, self.access(one))
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "a")
        one.do(
            command.AlterUser(
                user=key("ann", "10.0.0.0/255.0.0.0"), new_host="127.0.0.%", new_name="eve", new_password="x"
            )
        )
        self.client(one, "eve", "x")
        self.assertEqual({("eve", "127.0.0.%"): ["a"]}, self.access(one))
        for host in ("127.0.0.1", "::1", "fe80::%", "192.168.%", "10.0.0.0/255.0.0.0"):
            self.assertEqual([], one.plugin.validate_users([{"name": "u", "password": "x", "host": host}]), host)
            one.do(command.CreateUsers(users=[user("u", "x", host=host)]))
            one.do(command.DropUser(user=key("u", host)))

    def test_hostile_hosts_are_refused(self) -> None:
        plugin = self.instance().plugin
        hostile = "db.example.org", "'; DROP", "%'@'%", "10.0.0.0/8", "localhost", "10.0.0.1 ", "%%%%%.%", "a:b", "*"
        for host in hostile:
            self.assertTrue(plugin.validate_users([{"name": "u", "password": "x", "host": host}]), host)

    def test_access_of_one_account_is_not_taken_with_anothers(self) -> None:
        one = self.running()
        one.do(command.CreateUsers(users=[user("ann", "there", "a", host="10.1.2.%")]))
        one.do(command.RevokeAccess(user=key("ann", "10.1.2.%"), database="a"))
        self.assertEqual({("ann", "%"): ["a"], ("ann", "10.1.2.%"): []}, self.access(one))
        self.client(one)


class Preparation(FamilyTestCase):
    def test_a_template_shares_no_identity(self) -> None:
        templates = self.tempdir()
        one, two = self.running(templates), self.running(templates)
        (template,) = (path for path in templates.iterdir() if not path.name.startswith("."))
        self.assertEqual([], [str(path) for path in template.rglob("*.pem")] + list(template.rglob("auto.cnf")))
        self.assertEqual(0o700, stat.S_IMODE(template.stat().st_mode))
        for name in ("server-key.pem", "private_key.pem", "auto.cnf"):
            keys = [path.read_bytes() for made in (one, two) for path in made.environment.data_dir.rglob(name)]
            self.assertEqual(len(keys), len(set(keys)), name)
        self.client(two)

    def test_initialising_spares_what_others_have_in_the_common_temporary_directory(self) -> None:
        """A server that starts removes such files of its user; another one, being initialised, needs them."""
        files_of_another = [
            pathlib.Path("/tmp", f"#sql-temptable-{secrets.token_hex(6)}{suffix}") for suffix in (".MAI", ".MAD")
        ]
        for path in files_of_another:
            self.addCleanup(path.unlink, missing_ok=True)
            path.touch()
        one = self.instance()
        one.prepare(SHAPE)
        self.assertEqual(files_of_another, [path for path in files_of_another if path.exists()])
        self.assertEqual([], list(one.environment.data_dir.glob(".*")))

    def test_an_interrupted_preparation_is_begun_again(self) -> None:
        """The agent is killed before each file that it writes, in turn."""
        one = self.instance(templates=self.tempdir())
        write = files.write_private
        for number in range(20):
            calls = 0

            def dying(path: pathlib.Path, content: str, number: int = number) -> None:
                nonlocal calls
                calls += 1
                if calls > number:
                    raise KeyboardInterrupt
                write(path, content)

            try:
                with mock.patch.object(files, "write_private", dying):
                    one.prepare(SHAPE)
                break
            except KeyboardInterrupt:
                self.assertEqual("building", one.handler.status().status)
                self.assertIsNone(one.handler.inventory())
                one.handler.supervise()
                one.agent_restarts()
        self.assertTrue(number > 3)
        self.assertEqual("healthy", one.handler.status().status)
        self.assertEqual(1, len(one.pids()))
        self.assertEqual([], list(one.environment.data_dir.glob(".*")))
        self.assertEqual([], list(one.environment.state_dir.rglob("init.sql")))

    def test_a_volume_with_data_is_never_overwritten(self) -> None:
        one = self.running()
        one.do(command.StopEngine())
        shutil.rmtree(one.environment.state_dir)
        one.environment.state_dir.mkdir()
        one.agent_restarts()
        self.assert_refused("engine.data_exists", one.prepare, SHAPE)
        self.assertTrue(list(one.environment.data_dir.rglob("ibdata1")))

    def test_the_socket_is_private_and_outside_the_data(self) -> None:
        one = self.running()
        self.assertEqual([], list(one.environment.data_dir.rglob("*.sock*")))
        (socket,) = one.environment.state_dir.rglob("mysqld.sock")
        self.assertEqual(0o700, stat.S_IMODE(socket.parent.stat().st_mode))

    def test_the_redo_log_follows_the_volume(self) -> None:
        """An empty data directory fills a fifth of the smallest volume; the log must not take the rest."""
        one = self.running()
        self.assertTrue((one.handler.status().wal_bytes or 0) <= 64 * 2**20)
        used = sum(path.stat().st_blocks * 512 for path in one.environment.data_dir.rglob("*"))
        self.assertTrue(used < 300 * 2**20, used)
        pids = one.pids()
        one.do(command.GrowVolume(volume_gib=16))
        self.assertEqual(pids, one.pids())
        names = "'innodb_redo_log_capacity', 'innodb_log_file_size'"
        found = dict(self.ask(self.admin(one), f"SHOW VARIABLES WHERE Variable_name IN ({names})"))
        self.assertEqual(2**30, int(found.get("innodb_redo_log_capacity") or found["innodb_log_file_size"]))

    def test_too_small_is_said(self) -> None:
        one = self.instance()
        self.assertTrue(one.plugin.validate_size(128, 1))
        tiny = command.ShapeSpec(vcpus=1, ram_mib=128, volume_gib=1)
        self.assert_refused("engine.no_memory", one.prepare, tiny)


class LongPath(FamilyTestCase):
    def test_a_long_path_gets_its_socket_elsewhere(self) -> None:
        directory = pathlib.Path(tempfile.mkdtemp()) / ("long" * 30)
        one = engines.Instance(self.manager, self.installation, directory)
        if one.environment.engine_root is not None:
            self.skipTest("an engine of an image has a temporary directory of its own")
        self.addCleanup(one.destroy)
        one.prepare(SHAPE)
        place = pathlib.Path(self.settings(one)["socket"]).parent
        self.assertFalse(place.is_relative_to(directory))
        self.assertTrue((place / "mysqld.sock.lock").exists())
        one.do(command.StopEngine())
        shutil.rmtree(place)
        one.do(command.StartEngine())
        self.assertEqual("healthy", one.handler.status().status)
        self.addCleanup(shutil.rmtree, pathlib.Path(self.settings(one)["socket"]).parent, ignore_errors=True)


class Supervision(FamilyTestCase):
    def test_a_refused_configuration_is_undone(self) -> None:
        one = self.running()
        before = self.settings(one)
        absurd = sizing.Sizing(**{**vars(sizing.compute(1, 512, 1)), "buffer_pool": 10**10})
        with mock.patch.object(sizing, "compute", autospec=True, return_value=absurd):
            self.assert_refused("engine.configuration_refused", one.do, command.Reconfigure(shape=engines.LARGE))
        self.assertEqual("healthy", one.handler.status().status)
        self.assertEqual(before, self.settings(one))

    def test_a_hanging_server_is_blocked_and_the_probe_ends(self) -> None:
        one = self.running()
        (engine,) = one.pids()
        os.kill(engine, signal.SIGSTOP)
        self.addCleanup(os.kill, engine, signal.SIGCONT)
        began = time.monotonic()
        self.assertEqual("blocked", one.handler.status().status)
        self.assertTrue(time.monotonic() - began < 30)  # four on an idle machine

    def test_the_agent_gets_in_when_tenants_use_every_connection(self) -> None:
        one = self.running()
        with self.assertRaises(clients.Refused):
            for _ in range(100):
                self.client(one)
        self.assertEqual("healthy", one.handler.status().status)
        self.databases(one, "b")
        self.assertEqual(["a", "b"], self.names(one))

    def test_an_engine_that_keeps_dying_is_failed_and_comes_back_when_it_can(self) -> None:
        one = self.running()
        (broken,) = one.environment.data_dir.rglob("ibdata1")
        (engine,) = one.pids()
        os.kill(engine, signal.SIGKILL)
        one.await_end(engine)
        broken.rename(broken.with_suffix(".away"))
        broken.write_bytes(b"")
        status = one.await_status("failed", seconds=120)
        self.assertIn("ending", (status.reason or "").replace("ended", "ending"))
        broken.with_suffix(".away").rename(broken)
        one.do(command.StartEngine())
        self.assertEqual("healthy", one.handler.status().status)
        self.client(one)

    def test_a_full_volume_is_said_and_heals(self) -> None:
        one = self.running()
        with mock.patch("trove.datastores.enginelib.conditions.free_bytes", autospec=True, return_value=(0, 2**30)):
            status = one.handler.status()
            self.assertEqual("blocked", status.status)
            self.assertIn("full", status.reason or "")
            self.assertIn("Resize", status.reason or "")
            one.handler.supervise()
        one.handler.supervise()
        self.assertEqual("healthy", one.handler.status().status)

    def test_a_clock_that_is_wrong_by_an_hour(self) -> None:
        one = self.running()
        now = time.time
        for hours in (1, -1):
            with mock.patch("trove.common.clock.timestamp", lambda hours=hours: now() + 3600 * hours):
                one.agent_restarts()
                one.handler.supervise()
                self.assertEqual("healthy", one.handler.status().status)
                one.do(command.Restart())
                (engine,) = one.pids()
                os.kill(engine, signal.SIGKILL)
                one.await_end(engine)
                one.await_status("healthy")
                self.client(one)


class Interruption(FamilyTestCase):
    """Agent or engine die before each statement of each command; the command comes again, to a new handler."""

    def _commands(self, n: int) -> list[tuple[command.Command, Callable[[engines.Instance], bool]]]:
        """Return commands in an order in which each finds what it needs, with what must be true after each."""
        db, other, u, v = f"d_{n}", f"o%{n}", f"u{n}", f"v{n}"
        specs = [command.DatabaseSpec(name=db), command.DatabaseSpec(name=other, character_set="latin1")]
        return [
            (command.CreateDatabases(databases=specs), lambda one: {db, other} <= set(self.names(one))),
            (command.CreateUsers(users=[user(u, "p", db)]), lambda one: self.access(one)[(u, "%")] == [db]),
            (
                command.GrantAccess(user=key(u), databases=[db, other]),
                lambda one: self.access(one)[(u, "%")] == sorted([db, other]),
            ),
            (command.RevokeAccess(user=key(u), database=db), lambda one: self.access(one)[(u, "%")] == [other]),
            (
                command.AlterUser(user=key(u), new_name=v, new_host="127.%", new_password="q"),
                lambda one: self.access(one)[(v, "127.%")] == [other] and bool(self.client(one, v, "q", other)),
            ),
            (command.EnableRoot(password=f"r{n}"), lambda one: bool(self.client(one, "root", f"r{n}", db))),
            (command.DisableRoot(), lambda one: not self._root(one)),
            (command.DropDatabase(database=db), lambda one: db not in self.names(one)),
            (command.DropUser(user=key(v, "127.%")), lambda one: (v, "127.%") not in self.access(one)),
            (command.DropDatabase(database=other), lambda one: self.names(one) == ["a"]),
        ]

    @staticmethod
    def _root(one: engines.Instance) -> bool:
        found = one.handler.inventory()
        assert found is not None
        return found.root_enabled

    @contextlib.contextmanager
    def _before_statement(self, number: int, happens: Callable[[], None]) -> Iterator[list[int]]:
        execute = pymysql.cursors.Cursor.execute
        seen = [0]

        def counting(cursor: Any, query: str, args: Any = None) -> Any:
            seen[0] += 1
            if seen[0] == number:
                happens()
            return execute(cursor, query, args)

        with mock.patch.object(pymysql.cursors.Cursor, "execute", counting):
            yield seen

    def test_of_the_agent(self) -> None:
        one = self.running()

        def dies() -> None:
            raise KeyboardInterrupt

        for number in range(1, 40):
            interrupted = False
            for asked, holds in self._commands(number):
                with self._before_statement(number, dies), contextlib.suppress(KeyboardInterrupt):
                    one.do(asked)
                    self.assertTrue(holds(one), (number, asked.name))
                    continue
                interrupted = True
                one.agent_restarts()
                one.do(asked)
                self.assertTrue(holds(one), (number, asked.name))
            if not interrupted:
                break
        self.assertTrue(5 < number < 39, number)
        self.assertEqual({("ann", "%"): ["a"]}, self.access(one))
        self.client(one)

    def test_of_the_engine(self) -> None:
        one = self.running()

        def dies() -> None:
            (engine,) = one.pids()
            os.kill(engine, signal.SIGKILL)
            one.await_end(engine)

        # A server that takes seconds to come back is killed in fewer places.
        for number in (1, 2, 3, 5) if self.manager == "mariadb" else (2,):
            for asked, holds in self._commands(number):
                with self._before_statement(number, dies), contextlib.suppress(spi.EngineError):
                    one.do(asked)
                # As an owner would; by itself the agent waits longer each time that it dies so soon again.
                one.do(command.StartEngine())
                one.do(asked)
                self.assertTrue(holds(one), (number, asked.name))
        self.assertEqual({("ann", "%"): ["a"]}, self.access(one))
        self.client(one)

    def test_while_the_engine_is_given_another_size(self) -> None:
        one = self.running()
        asked = command.Reconfigure(shape=command.ShapeSpec(vcpus=2, ram_mib=1024, volume_gib=4))
        for method in ("stop", "start"):
            with mock.patch.object(one.handler._server, method, autospec=True, side_effect=KeyboardInterrupt):
                self.assertRaises(KeyboardInterrupt, one.do, asked)
            one.agent_restarts()
            one.await_status("healthy")
        one.do(asked)
        self.assertEqual(f"{1024 * 35 // 100}M", self.settings(one)["innodb_buffer_pool_size"])
        self.client(one)


engines.for_each_engine(globals(), Security, newest_only=True, managers=MANAGERS)
engines.for_each_engine(globals(), Hosts, newest_only=True, managers=MANAGERS)
engines.for_each_engine(globals(), Preparation, newest_only=True, managers=MANAGERS)
engines.for_each_engine(globals(), LongPath, managers=MANAGERS)
engines.for_each_engine(globals(), Supervision, newest_only=True, managers=MANAGERS)
engines.for_each_engine(globals(), Interruption, newest_only=True, managers=MANAGERS)
