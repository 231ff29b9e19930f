# SPDX-License-Identifier: Apache-2.0
# covers: trove/datastores/postgresql/guest
"""What is particular to PostgreSQL, on real servers; each trap that was met once has its test here."""

import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
from typing import Any
from unittest import mock

import psycopg2

from trove.datastores import spi
from trove.datastores.postgresql import config, sizing
from trove.guestagent.system import process
from trove.tests.contract.datastores import clients, engines
from trove.wire import command


class PostgreSQLTestCase(engines.EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        if self.manager != "postgresql":
            self.skipTest("this is about PostgreSQL")

    def with_user(self, one: engines.Instance) -> engines.Instance:
        one.do(command.CreateDatabases(databases=[command.DatabaseSpec(name="a")]))
        one.do(command.CreateUsers(users=[command.UserSpec(name="ann", password="pa", databases=["a"])]))
        return one

    def client(self, one: engines.Instance, user: str = "ann", password: str = "pa", name: str = "a") -> clients.Client:
        client = one.connect(user, password, name)
        self.addCleanup(client.close)
        return client

    @staticmethod
    def pgdata(one: engines.Instance) -> pathlib.Path:
        return one.environment.data_dir / "pgdata"

    @staticmethod
    def settings(one: engines.Instance) -> dict[str, str]:
        return dict(config.parse((PostgreSQLTestCase.pgdata(one) / config.FILE_NAME).read_text()))

    def admin(self, one: engines.Instance, password: str | None = engines.ADMIN_PASSWORD) -> Any:
        sockets = self.settings(one)["unix_socket_directories"].strip('"')
        connection = psycopg2.connect(
            host=sockets,
            port=one.address[1],
            user="os_admin",
            password=password,
            dbname="postgres",
            passfile="/nonexistent",
        )
        self.addCleanup(connection.close)
        connection.autocommit = True
        return connection


class Security(PostgreSQLTestCase):
    def test_nobody_gets_in_without_a_password(self) -> None:
        one = self.with_user(self.prepared())
        with self.admin(one).cursor() as cursor:
            cursor.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
            self.assertEqual([("reject",), ("scram-sha-256",)], sorted(cursor.fetchall()))
        # As the account that owns the server, over the private socket: peer authentication would let it in.
        self.assertRaises(psycopg2.OperationalError, self.admin, one, None)
        self.assertRaises(psycopg2.OperationalError, self.admin, one, "wrong")
        self.assertRaises(clients.Refused, one.connect, "ann", "", "a")
        self.assertRaises(clients.Refused, one.connect, "os_admin", engines.ADMIN_PASSWORD, "postgres")
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "postgres")
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "template1")

    def test_secrets_are_in_private_files_only(self) -> None:
        one = self.prepared()
        for path in one.environment.state_dir.rglob("*"):
            if path.is_file() and engines.ADMIN_PASSWORD in path.read_text(errors="replace"):
                self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode), path)
                self.assertEqual("state.json", path.name)
        for path in one.environment.data_dir.rglob("*"):
            if path.is_file():
                self.assertNotIn(engines.ADMIN_PASSWORD.encode(), path.read_bytes(), path)
        (pid,) = one.pids()
        self.assertNotIn(engines.ADMIN_PASSWORD, process.command_line(pid))

    def test_a_failed_statement_of_a_tenant_is_not_logged(self) -> None:
        one = self.with_user(self.prepared())
        self.assertRaises(clients.Failed, self.client(one).execute, "ALTER ROLE os_admin PASSWORD 'in-the-clear'")
        # The server's logging collector is a process of its own and writes a moment later.
        one.await_log("ERROR")
        self.assertNotIn("in-the-clear", one.log())

    def test_root_reaches_neither_files_nor_programs_nor_superuser(self) -> None:
        one = self.with_user(self.prepared())
        one.do(command.EnableRoot(password="r"))
        root = self.client(one, "root", "r", "postgres")
        for statement in (
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "SELECT pg_read_file('postgresql.conf')",
            "GRANT pg_execute_server_program TO root",
            "GRANT pg_read_server_files TO root",
            "ALTER ROLE root SUPERUSER",
            "ALTER ROLE os_admin PASSWORD 'x'",
            "SET ROLE os_admin",
            "ALTER SYSTEM SET log_statement = 'all'",
            "CREATE ROLE r2 LOGIN SUPERUSER",
        ):
            self.assertRaises(clients.Failed, root.execute, statement)
        root.execute("CREATE DATABASE of_root")
        self.client(one, "root", "r", "of_root").execute("CREATE TABLE t (n int)")

    def test_a_hostile_database_does_not_trap_the_administrator(self) -> None:
        one = self.with_user(self.prepared())
        one.do(command.EnableRoot(password="r"))
        root = self.client(one, "root", "r", "postgres")
        root.execute("CREATE DATABASE evil")
        inside = self.client(one, "root", "r", "evil")
        inside.execute("CREATE SCHEMA trap")
        inside.execute("CREATE TABLE trap.pg_namespace (nspname text)")
        for setting in (
            "search_path = trap, pg_catalog",
            "statement_timeout = 1",
            "default_transaction_read_only = on",
            "local_preload_libraries = missing",
        ):
            root.execute(f"ALTER DATABASE evil SET {setting}")
        one.do(command.GrantAccess(user=command.UserKey(name="ann"), databases=["evil"]))
        found = one.handler.inventory()
        assert found is not None
        self.assertEqual([["a", "evil"]], [user.databases for user in found.users])
        one.do(command.RevokeAccess(user=command.UserKey(name="ann"), database="evil"))
        inside.close()
        root.execute("ALTER DATABASE evil IS_TEMPLATE true")
        root.execute("ALTER DATABASE evil ALLOW_CONNECTIONS false")
        found = one.handler.inventory()
        assert found is not None
        self.assertEqual(["a", "evil"], [item.name for item in found.databases])
        one.do(command.DropDatabase(database="evil"))

    def test_a_function_that_runs_as_its_owner_never_becomes_a_superusers(self) -> None:
        one = self.with_user(self.prepared())
        client = self.client(one)
        client.execute("SET ROLE NONE")
        client.execute("CREATE FUNCTION f() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'")
        one.do(command.DropUser(user=command.UserKey(name="ann")))
        one.do(command.CreateUsers(users=[command.UserSpec(name="bob", password="pb", databases=["a"])]))
        ((owner,),) = self.client(one, "bob", "pb").execute("SELECT f()")
        self.assertTrue(owner.startswith("trove:db:"), owner)

    def test_what_a_session_makes_after_leaving_the_group_is_shared_too(self) -> None:
        one = self.with_user(self.prepared())
        one.do(command.CreateUsers(users=[command.UserSpec(name="bob", password="pb", databases=["a"])]))
        client = self.client(one)
        client.execute("SET ROLE NONE")
        self.assertEqual([("ann",)], client.execute("SELECT current_user::text"))
        client.execute("CREATE TABLE pooled (n serial)")
        self.client(one, "bob", "pb").execute("INSERT INTO pooled DEFAULT VALUES")


class Preparation(PostgreSQLTestCase):
    def test_the_socket_is_private_and_outside_the_data(self) -> None:
        """A copy of the data would carry the socket's lock file along: the replica ended with "lock file already
        exists".
        """
        one = self.prepared()
        self.assertEqual([], [str(path) for path in one.environment.data_dir.rglob(".s.PGSQL*")])
        (socket,) = one.environment.state_dir.rglob(".s.PGSQL.5432")
        self.assertEqual(0o700, stat.S_IMODE(socket.parent.stat().st_mode))

    def test_a_promotion_need_not_wait_for_the_next_retry(self) -> None:
        client = self.client(self.with_user(self.prepared()))
        self.assertEqual([("200ms",)], client.execute("SHOW wal_retrieve_retry_interval"))
        self.assertEqual([("on",)], client.execute("SHOW data_checksums"))
        self.assertEqual([("UTF8",)], client.execute("SHOW server_encoding"))

    def test_a_long_path_gets_its_socket_elsewhere(self) -> None:
        directory = pathlib.Path(tempfile.mkdtemp()) / ("long" * 30)
        one = engines.Instance(self.manager, self.installation, directory)
        self.addCleanup(one.destroy)
        one.prepare()
        self.assertEqual("healthy", one.handler.status().status)
        place = pathlib.Path(self.settings(one)["unix_socket_directories"].strip('"'))
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        self.assertFalse(place.is_relative_to(directory))
        # Somebody cleans the temporary directory while the server is down.
        one.do(command.StopEngine())
        shutil.rmtree(place)
        one.do(command.StartEngine())
        self.assertEqual("healthy", one.handler.status().status)
        self.addCleanup(shutil.rmtree, self.settings(one)["unix_socket_directories"].strip('"'), ignore_errors=True)

    def test_an_interrupted_preparation_is_begun_again(self) -> None:
        one = self.instance(templates=self.tempdir())
        with mock.patch.object(one.handler._users, "set_admin_password", autospec=True, side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, one.prepare)
        self.assertEqual("building", one.handler.status().status)
        self.assertRaises(clients.Refused, one.connect, "os_admin", engines.ADMIN_PASSWORD, "postgres")
        one.agent_restarts()
        one.prepare()
        self.assertEqual("healthy", one.handler.status().status)
        self.assertEqual(1, len(one.pids()))

    def test_a_template_shares_no_password(self) -> None:
        templates = self.tempdir()
        one, two = self.prepared(templates=templates), self.prepared(templates=templates)
        (password,) = templates.rglob("note")
        self.assertEqual(0o600, stat.S_IMODE(password.stat().st_mode))
        for made in (one, two):
            self.assertRaises(psycopg2.OperationalError, self.admin, made, password.read_text())
            self.admin(made)

    def test_a_volume_with_data_is_never_overwritten(self) -> None:
        one = self.with_user(self.prepared())
        one.do(command.StopEngine())
        shutil.rmtree(one.environment.state_dir)
        one.environment.state_dir.mkdir()
        one.agent_restarts()
        self.assert_refused("engine.data_exists", one.prepare)
        self.assertTrue((self.pgdata(one) / "PG_VERSION").exists())

    def test_too_small_is_said(self) -> None:
        one = self.instance()
        tiny = command.ShapeSpec(vcpus=1, ram_mib=sizing.MIN_RAM_MIB - 1, volume_gib=1)
        self.assert_refused("engine.no_memory", one.prepare, tiny)


class Supervision(PostgreSQLTestCase):
    def test_a_refused_configuration_is_undone(self) -> None:
        one = self.with_user(self.prepared())
        before = self.settings(one)
        absurd = sizing.Sizing(**{**vars(sizing.compute(1, 256, 1)), "shared_buffers": 10**9})
        with mock.patch.object(sizing, "compute", autospec=True, return_value=absurd):
            self.assert_refused("engine.configuration_refused", one.do, command.Reconfigure(shape=engines.LARGE))
        self.assertEqual("healthy", one.handler.status().status)
        self.assertEqual(before, self.settings(one))
        one.do(command.Restart())
        self.assertEqual(before, self.settings(one))

    def test_a_new_size_is_in_force(self) -> None:
        one = self.with_user(self.prepared())
        one.do(command.Reconfigure(shape=command.ShapeSpec(vcpus=2, ram_mib=1024, volume_gib=4)))
        self.assertEqual([("256MB",)], self.client(one).execute("SHOW shared_buffers"))
        one.do(command.GrowVolume(volume_gib=16))
        one.await_status("healthy")
        self.assertEqual([("2GB",)], self.client(one).execute("SHOW max_wal_size"))

    def test_a_pid_that_belongs_to_a_stranger_now(self) -> None:
        """PostgreSQL refuses to start while *any* process of its user has the pid of a left-over postmaster.pid."""
        one = self.with_user(self.prepared())
        stranger = subprocess.Popen(["/bin/sleep", "60"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        (engine,) = one.pids()
        os.kill(engine, signal.SIGKILL)
        one.await_end(engine)
        left_over = self.pgdata(one) / "postmaster.pid"
        lines = left_over.read_text().split("\n")
        left_over.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        self.assertEqual("crashed", one.handler.status().status)
        one.await_status("healthy")
        self.client(one)
        self.assertIsNone(stranger.poll())

    def test_a_hanging_server_is_blocked_and_the_probe_ends(self) -> None:
        one = self.prepared()
        (engine,) = one.pids()
        os.kill(engine, signal.SIGSTOP)
        self.addCleanup(os.kill, engine, signal.SIGCONT)
        self.assertEqual("blocked", one.handler.status().status)

    def test_the_agent_gets_in_when_tenants_use_every_connection(self) -> None:
        one = self.with_user(self.prepared())
        held = []
        with self.assertRaises(clients.Refused):
            for _ in range(50):
                held.append(self.client(one))
        self.assertTrue(held)
        self.assertEqual("healthy", one.handler.status().status)
        self.assertIsNotNone(one.handler.inventory())
        one.do(command.CreateDatabases(databases=[command.DatabaseSpec(name="b")]))

    def test_an_engine_that_keeps_dying_is_failed_and_comes_back_when_it_can(self) -> None:
        one = self.prepared()
        broken = self.pgdata(one) / "global" / "pg_control"
        whole = broken.read_bytes()
        (engine,) = one.pids()
        os.kill(engine, signal.SIGKILL)
        one.await_end(engine)
        broken.write_bytes(b"\0" * len(whole))
        status = one.await_status("failed", seconds=120)
        self.assertIn("ended", status.reason or "")
        broken.write_bytes(whole)
        one.do(command.StartEngine())
        self.assertEqual("healthy", one.handler.status().status)

    def test_a_start_that_fails_is_said(self) -> None:
        one = self.prepared()
        one.do(command.StopEngine())
        (self.pgdata(one) / "PG_VERSION").write_text("9.0\n")
        self.assert_refused("engine.start_failed", one.do, command.StartEngine())
        self.assertIn("9.0", one.log())

    def test_log_files_do_not_pile_up(self) -> None:
        one = self.prepared()
        directory = one.handler.log_files()[-1].parent
        for number in range(20):
            (directory / f"postgresql-20200101-0000{number:02}.log").touch()
        one.handler.limit_logs()
        self.assertTrue(len(one.handler.log_files()) <= 6)

    def test_status_before_and_after(self) -> None:
        one = self.prepared()
        status = one.handler.status()
        self.assertEqual(spi.EngineStatus("healthy", None, status.wal_bytes), status)
        self.assertGreater(status.wal_bytes or 0, 0)


class Interruption(PostgreSQLTestCase):
    """The agent dies between two statements; the command comes again, to a new handler."""

    def interrupt(self, one: engines.Instance, part: str, method: str, asked: command.Command) -> None:
        owner = getattr(one.handler, part)
        with mock.patch.object(owner, method, autospec=True, side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, one.do, asked)
        one.agent_restarts()

    def inventory(self, one: engines.Instance) -> tuple[list[str], dict[str, list[str]]]:
        found = one.handler.inventory()
        assert found is not None
        return [item.name for item in found.databases], {user.name: user.databases for user in found.users}

    def test_while_a_database_is_made(self) -> None:
        one = self.with_user(self.prepared())
        asked = command.CreateDatabases(databases=[command.DatabaseSpec(name="b")])
        owner = one.handler._databases._access
        with mock.patch.object(owner, "ensure_group", autospec=True, side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, one.do, asked)
        self.assertEqual((["a"], {"ann": ["a"]}), self.inventory(one))
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "b")
        one.agent_restarts()
        one.do(asked)
        self.assertEqual((["a", "b"], {"ann": ["a"]}), self.inventory(one))
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "b")

    def test_while_a_user_is_made(self) -> None:
        one = self.with_user(self.prepared())
        asked = command.CreateUsers(users=[command.UserSpec(name="bob", password="pb", databases=["a"])])
        self.interrupt(one, "_users", "_grant", asked)
        one.do(asked)
        self.client(one, "bob", "pb")

    def test_while_a_user_is_dropped(self) -> None:
        one = self.with_user(self.prepared())
        self.client(one).execute("CREATE TABLE t (n int)")
        asked = command.DropUser(user=command.UserKey(name="ann"))
        with mock.patch.object(
            one.handler._users._access, "reassign_or_drop", autospec=True, side_effect=KeyboardInterrupt
        ):
            self.assertRaises(KeyboardInterrupt, one.do, asked)
        self.assertEqual((["a"], {}), self.inventory(one))
        self.assertRaises(clients.Refused, one.connect, "ann", "pa", "a")
        one.agent_restarts()
        one.do(asked)
        with self.admin(one).cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'trove:dropping:%'")
            self.assertEqual([], cursor.fetchall())

    def test_while_the_engine_is_given_another_size(self) -> None:
        one = self.with_user(self.prepared())
        asked = command.Reconfigure(shape=command.ShapeSpec(vcpus=2, ram_mib=1024, volume_gib=4))
        self.interrupt(one, "_server", "start", asked)
        one.await_status("healthy")
        one.do(asked)
        self.assertEqual([("256MB",)], self.client(one).execute("SHOW shared_buffers"))


engines.for_each_engine(globals(), Security, managers=["postgresql"])
engines.for_each_engine(globals(), Interruption, newest_only=True, managers=["postgresql"])
engines.for_each_engine(globals(), Preparation, newest_only=True, managers=["postgresql"])
engines.for_each_engine(globals(), Supervision, newest_only=True, managers=["postgresql"])
