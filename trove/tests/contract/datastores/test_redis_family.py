# SPDX-License-Identifier: Apache-2.0
# covers: trove/datastores/redis_family/guest
"""Users, root, memory and writes of real Redis and Valkey servers, seen from a tenant's side."""

import dataclasses
import os
import pathlib
import resource
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import redis

from trove.datastores import spi
from trove.datastores.redis_family.guest import resp
from trove.tests.contract.datastores import clients, engines
from trove.wire import command

MANAGERS = ("redis", "valkey")
#: Legal names; each would do harm where words were joined to a text.
HOSTILE_NAMES = (
    "';DROP",
    '"quoted"',
    "%s%(name)s{}{0}",
    "back\\slash\\r\\n",
    "#notahash",
    ">pw",
    "+@all",
    "on",
    "$5",
    "*3",
    "user",
    "Größe→数据",
    "a@b:c/d",
)
#: What the engine or its files of lines cannot hold.
IMPOSSIBLE_NAMES = (
    "",
    "a b",
    "a\nuser evil on nopass ~* +@all",
    "a\tb",
    "a\0b",
    "a\rb",
    "a\u00a0b",
    "a\u2028b",
    "x" * 129,
)
#: Commands that reach the machine, other machines, or Trove's own account.
FORBIDDEN = (
    "CONFIG SET dir /",
    "CONFIG GET *",
    "CONFIG REWRITE",
    "MODULE LOAD /x.so",
    "DEBUG JMAP",
    "SHUTDOWN NOSAVE",
    "REPLICAOF 127.0.0.1 1",
    "SLAVEOF 127.0.0.1 1",
    "MIGRATE 127.0.0.1 1 key 0 10",
    "FAILOVER",
    "SYNC",
    "PSYNC ? -1",
    "SAVE",
    "BGSAVE",
    "ACL LIST",
    "ACL SETUSER root +@all",
    "ACL DELUSER os_admin",
    "ACL LOAD",
    "CLIENT PAUSE 100000",
    "CLUSTER RESET",
)


def user(name: str, password: str = "pw") -> command.UserSpec:
    return command.UserSpec(name=name, password=password)


def key(name: str) -> command.UserKey:
    return command.UserKey(name=name)


class WithoutFileSizeSignal:
    """Runs programs so that a write beyond the limit of a file's size fails instead of ending the program."""

    def __init__(self, process: spi.EngineProcess) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)

    def start(self, argv: Sequence[str], **options: Any) -> int:
        return self._process.start(["/bin/sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", *argv], **options)


class FamilyCase(engines.EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.one = self.prepared()

    def create(self, *users: command.UserSpec) -> None:
        self.one.do(command.CreateUsers(users=list(users)))

    def names(self) -> list[str]:
        found = self.one.handler.inventory()
        assert found is not None
        return [item.name for item in found.users]

    def enter(self, name: str, password: str = "pw") -> clients.Client:
        client = self.one.connect(name, password, "")
        self.addCleanup(client.close)
        return client

    def assert_shut_out(self, name: str, password: str) -> None:
        self.assertRaises(clients.Refused, self.one.connect, name, password, "")

    @property
    def acl_file(self) -> pathlib.Path:
        return self.one.environment.data_dir / self.manager / "users.acl"

    def administrator(self) -> redis.Redis:
        socket_path = self.one.environment.state_dir / self.manager / "run" / "server.sock"
        admin = redis.Redis(
            unix_socket_path=str(socket_path),
            username="os_admin",
            password=engines.ADMIN_PASSWORD,
            decode_responses=True,
            retry=clients.NO_RETRY,
        )
        self.addCleanup(admin.close)
        return admin


class Accounts(FamilyCase):
    def test_nobody_enters_without_a_password(self) -> None:
        with socket.create_connection(self.one.address, timeout=30) as stream:
            stream.sendall(b"PING\r\n")
            self.assertTrue(stream.recv(100).startswith(b"-NOAUTH"))
        for name, password in (("default", ""), ("default", "x"), ("os_admin", "x"), ("root", ""), ("nobody", "x")):
            self.assert_shut_out(name, password)

    def test_hostile_names_and_passwords(self) -> None:
        plugin = self.one.plugin
        self.assertEqual([], plugin.validate_users([{"name": n, "password": n * 2} for n in HOSTILE_NAMES]))
        self.create(*(user(name, name * 2) for name in HOSTILE_NAMES))
        self.assertEqual(sorted(HOSTILE_NAMES), sorted(self.names()))
        self.one.do(command.Restart())
        self.assertEqual(sorted(HOSTILE_NAMES), sorted(self.names()))
        for name in HOSTILE_NAMES:
            self.enter(name, name * 2).put(1)
            self.one.do(command.AlterUser(user=key(name), new_name=name[::-1] + "2", new_password=name + "' \n"))
            self.enter(name[::-1] + "2", name + "' \n").put(2)
            self.assert_shut_out(name, name * 2)
            self.one.do(command.DropUser(user=key(name[::-1] + "2")))
        self.assertEqual([], self.names())

    def test_impossible_names_are_refused_by_both_halves(self) -> None:
        for name in IMPOSSIBLE_NAMES:
            self.assertTrue(self.one.plugin.validate_users([{"name": name, "password": "pw"}]), repr(name))
            self.assert_refused("user.name", self.create, user(name))
        self.assertNotIn("evil", self.acl_file.read_text())
        for name in ("default", "os_admin", "root"):
            self.assertTrue(self.one.plugin.validate_users([{"name": name, "password": "pw"}]))
            self.assert_refused("user.reserved", self.create, user(name))
            self.assert_refused("user.reserved", self.one.do, command.DropUser(user=key(name)))
            self.assert_refused("user.reserved", self.one.do, command.AlterUser(user=key(name), new_password="x"))
            self.assert_refused("user.reserved", self.one.do, command.AlterUser(user=key("x"), new_name=name))
        self.assertEqual("healthy", self.one.handler.status().status)

    def test_no_password_is_stored_in_clear(self) -> None:
        self.create(user("ann", "a-very-secret-word"))
        self.one.do(command.EnableRoot(password="another-secret-word"))
        for directory in (self.one.environment.data_dir, self.one.environment.state_dir):
            files = [path for path in directory.rglob("*") if path.is_file()]
            self.assertNotEqual([], files, directory)
            for path in files:
                self.assertNotIn(b"secret-word", path.read_bytes(), path)
                self.assertEqual(0, path.stat().st_mode & 0o077, path)

    def test_creating_again_is_success_only_when_it_is_the_same(self) -> None:
        self.create(user("ann", "pa"))
        self.create(user("ann", "pa"), user("bob", "pb"))
        self.assert_refused("user.exists", self.create, user("eve", "pe"), user("ann", "other"))
        self.assertEqual(["ann", "bob"], self.names())
        self.enter("ann", "pa")
        wanted = command.UserSpec(name="eve", password="x", databases=["shop"])
        self.assert_refused("user.databases", self.create, wanted)

    def test_a_new_name_keeps_the_password_and_ends_connections(self) -> None:
        self.create(user("ann", "pa"), user("bob", "pb"))
        self.assert_refused("user.exists", self.one.do, command.AlterUser(user=key("ann"), new_name="bob"))
        client = self.enter("ann", "pa")
        client.put(1)
        change = command.AlterUser(user=key("ann"), new_name="anna")
        self.one.do(change)
        self.assertRaises(clients.Failed, client.put, 2)
        self.one.do(change)
        self.assertEqual([1], self.enter("anna", "pa").numbers())
        self.one.do(command.AlterUser(user=key("anna"), new_password="other"))
        self.assert_shut_out("anna", "pa")
        self.enter("anna", "other")
        self.assert_refused("user.not_found", self.one.do, command.AlterUser(user=key("ann"), new_password="x"))

    def test_dropping_ends_connections(self) -> None:
        self.create(user("ann"))
        client = self.enter("ann")
        self.one.do(command.DropUser(user=key("ann")))
        self.one.do(command.DropUser(user=key("ann")))
        self.assertRaises(clients.Failed, client.put, 1)
        self.assert_shut_out("ann", "pw")
        self.one.do(command.Restart())
        self.assert_shut_out("ann", "pw")

    def test_what_users_and_root_may_not_do(self) -> None:
        self.create(user("ann"))
        self.one.do(command.EnableRoot(password="pw"))
        for name in ("ann", "root"):
            for statement in FORBIDDEN:
                error = self.assertRaises(clients.Failed, self.enter(name).execute, statement)
                self.assertRegex(str(error), "(?i)no permissions|not allowed|unknown command", f"{name}: {statement}")
        for statement in ("FLUSHALL", "KEYS *", "INFO server", "ACL WHOAMI", "EVAL return(1) 0"):
            self.enter("ann").execute(statement)
        for statement in ("SLOWLOG GET", "CLIENT LIST", "LATENCY LATEST", "ROLE", "CONFIG RESETSTAT"):
            self.enter("root").execute(statement)
            self.assertRaises(clients.Failed, self.enter("ann").execute, statement)
        self.assertEqual("healthy", self.one.handler.status().status)

    def test_root(self) -> None:
        self.one.do(command.DisableRoot())
        for password in ("first", "second"):
            self.one.do(command.EnableRoot(password=password))
            self.enter("root", password).put(1)
        self.assert_shut_out("root", "first")
        found = self.one.handler.inventory()
        assert found is not None
        self.assertTrue(found.root_enabled)
        self.assertEqual((), found.users)
        client = self.enter("root", "second")
        self.one.do(command.DisableRoot())
        self.assertRaises(clients.Failed, client.put, 2)
        self.assert_shut_out("root", "second")
        found = self.one.handler.inventory()
        assert found is not None
        self.assertFalse(found.root_enabled)

    def test_a_list_that_cannot_be_saved_is_as_before(self) -> None:
        self.create(user("ann", "pa"))
        # A directory in place of the file: like a full volume, the server cannot replace it.
        saved = self.acl_file.read_text()
        self.acl_file.unlink()
        self.acl_file.mkdir()
        (self.acl_file / "x").touch()
        for asked in (
            command.CreateUsers(users=[user("bob")]),
            command.AlterUser(user=key("ann"), new_name="anna", new_password="other"),
            command.DropUser(user=key("ann")),
            command.EnableRoot(password="pw"),
        ):
            self.assert_refused("engine.users_not_saved", self.one.do, asked)
            self.assertEqual(["ann"], self.names())
            self.enter("ann", "pa").put(1)
            self.assert_shut_out("root", "pw")
        (self.acl_file / "x").unlink()
        self.acl_file.rmdir()
        self.acl_file.write_text(saved)
        self.create(user("bob"))
        self.one.do(command.Restart())
        self.assertEqual(["ann", "bob"], self.names())

    def test_a_damaged_list_opens_the_door_to_nobody(self) -> None:
        self.create(user("ann", "pa"))
        for damage in ("", "user ann on nopass\n"):
            self.one.do(command.StopEngine())
            self.acl_file.write_text(damage)
            self.one.do(command.StartEngine())
            self.assert_shut_out("default", "")
            self.assertEqual("healthy", self.one.handler.status().status)
            with socket.create_connection(self.one.address, timeout=30) as stream:
                stream.sendall(b"PING\r\n")
                self.assertTrue(stream.recv(100).startswith(b"-NOAUTH"))

    def test_a_stopped_engine_cannot_be_asked(self) -> None:
        self.one.do(command.StopEngine())
        self.assertIsNone(self.one.handler.inventory())
        self.assert_refused("engine.unavailable", self.create, user("ann"))


class Operation(FamilyCase):
    def test_addresses(self) -> None:
        """Loopback connections leave from 127.0.0.1 unless bound: replicas and sentinels would look alike."""
        host, port = self.one.address
        admin = self.administrator()
        for name in ("bind", "bind-source-addr", "replica-announce-ip"):
            self.assertEqual(host, admin.config_get(name)[name])
        self.assertEqual("yes", admin.config_get("protected-mode")["protected-mode"])
        with socket.socket() as probe:
            self.assertRaises(ConnectionRefusedError, probe.connect, ("127.0.0.1", port))

    def test_acknowledged_writes_survive(self) -> None:
        self.create(user("ann"))
        client = self.enter("ann")
        for number in range(200):
            client.put(number)
        self.one.do(command.Restart())
        for number in range(200, 400):
            self.enter("ann").put(number)
        (engine,) = self.one.pids()
        # Until the server has written (not flushed) everything: it may hold a write back for two seconds while an
        # earlier one is being flushed.
        self.await_written()
        os.kill(engine, signal.SIGKILL)
        self.one.await_end(engine)
        self.one.await_status("healthy")
        self.assertEqual(list(range(400)), self.enter("ann").numbers())

    def await_written(self) -> None:
        deadline = time.monotonic() + 30
        while self.administrator().info("persistence")["aof_buffer_length"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_full_memory_is_said_and_heals(self) -> None:
        self.create(user("ann"))
        client = self.enter("ann")
        self.administrator().config_set("maxmemory", "8mb")
        # Smaller and smaller, because a large value may be refused while a small one still fits.
        for size in (2**18, 2**12, 1):
            error = None
            for number in range(1000):
                try:
                    client.execute("SET", f"{size}-{number}", "x" * size)
                except clients.Failed as err:
                    error = err
                    break
            self.assertIn("maxmemory", str(error))
        status = self.one.handler.status()
        self.assertEqual("blocked", status.status)
        self.assertRegex(str(status.reason), "memory.*full.*Delete.*resize")
        client.execute("FLUSHALL")
        self.one.await_status("healthy")

    def test_a_size_too_small_for_the_data_changes_nothing(self) -> None:
        self.one.do(command.Reconfigure(shape=engines.LARGE))
        self.create(user("ann"))
        client = self.enter("ann")
        for number in range(160):
            client.execute("SET", f"k{number}", "x" * 2**20)
        (before,) = self.one.pids()
        error = self.assert_refused("engine.no_memory", self.one.do, command.Reconfigure(shape=engines.SMALL))
        self.assertIn("MiB", error.message)
        self.assertEqual([before], self.one.pids())
        self.assertEqual([(160,)], client.execute("DBSIZE"))

    def test_a_busy_script_is_said_and_heals(self) -> None:
        self.administrator().config_set("busy-reply-threshold", "50")
        self.create(user("ann"))
        with socket.create_connection(self.one.address, timeout=30) as stream:
            stream.sendall(resp.encode(("AUTH", "ann", "pw")) + resp.encode(("EVAL", "while true do end", "0")))
            status = self.one.await_status("blocked")
            self.assertIn("SCRIPT KILL", str(status.reason))
            self.enter_busy("ann").execute_command("SCRIPT", "KILL")
        self.one.await_status("healthy")

    def enter_busy(self, name: str) -> redis.Redis:
        host, port = self.one.address
        client = redis.Redis(host=host, port=port, username=name, password="pw", protocol=2, retry=clients.NO_RETRY)
        self.addCleanup(client.close)
        return client

    def test_a_hanging_server_is_said_in_time(self) -> None:
        (engine,) = self.one.pids()
        os.kill(engine, signal.SIGSTOP)
        try:
            began = time.monotonic()
            status = self.one.handler.status()
            self.assertTrue(time.monotonic() - began < 30)  # four on an idle machine
            self.assertEqual("blocked", status.status)
            self.assertIn("in time", str(status.reason))
        finally:
            os.kill(engine, signal.SIGCONT)
        self.one.await_status("healthy")

    def test_failing_writes_are_said_and_not_thrown_away(self) -> None:
        """A file size limit fails write(2) as a full disk does, and only for this server."""
        self.one = self.instance()
        self.one.environment = dataclasses.replace(
            self.one.environment, process=WithoutFileSizeSignal(self.one.environment.process)
        )
        self.one.agent_restarts()
        self.one.prepare()
        self.create(user("ann"))
        client = self.enter("ann")
        client.put(1)
        (engine,) = self.one.pids()
        resource.prlimit(engine, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        try:
            for number in range(2000):
                try:
                    client.put(number)
                except clients.Failed as err:
                    self.assertIn("writing to the AOF file", str(err))
                    break
            else:
                self.fail("every write was taken")
            status = self.one.handler.status()
            self.assertEqual("blocked", status.status)
            self.assertRegex(str(status.reason), "refuses all writes.*resize the volume")
            for asked in (command.StopEngine(), command.Restart(), command.Reconfigure(shape=engines.LARGE)):
                self.assert_refused("engine.unsaved_writes", self.one.do, asked)
            self.assertEqual([engine], self.one.pids())
            known = client.numbers()
        finally:
            resource.prlimit(engine, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.one.await_status("healthy")
        self.one.do(command.Restart())
        self.assertEqual(known, self.enter("ann").numbers())

    def test_crashes_without_end_are_said_with_the_cause(self) -> None:
        (engine,) = self.one.pids()
        aof = next((self.one.environment.data_dir / self.manager / "appendonlydir").glob("*.manifest"))
        healthy = aof.read_bytes()
        aof.write_bytes(b"nonsense\n")
        os.kill(engine, signal.SIGKILL)
        self.one.await_end(engine)
        status = self.one.await_status("failed", 120)
        self.assertIn("ended 5 times", str(status.reason))
        aof.write_bytes(healthy)
        self.one.do(command.StartEngine())
        self.assertEqual("healthy", self.one.handler.status().status)


class Preparation(engines.EngineTestCase):
    def test_it_begins_again_after_a_crash_of_the_agent(self) -> None:
        one = self.instance()
        volume = one.environment.data_dir
        (volume / ".trove-initialising").touch()
        (volume / self.manager).mkdir()
        (volume / self.manager / "half").touch()
        one.prepare()
        self.assertFalse((volume / self.manager / "half").exists())
        self.assertFalse((volume / ".trove-initialising").exists())
        self.assertEqual("healthy", one.handler.status().status)

    def test_data_is_never_overwritten(self) -> None:
        one = self.instance()
        (one.environment.data_dir / self.manager).mkdir()
        self.assert_refused("engine.data_exists", one.prepare)
        self.assertEqual([], one.pids())

    def test_a_shape_that_is_too_small(self) -> None:
        one = self.instance()
        shape = command.ShapeSpec(vcpus=1, ram_mib=255, volume_gib=1)
        self.assertTrue(one.plugin.validate_size(255, 1))
        self.assert_refused("engine.no_memory", one.prepare, shape)

    def test_a_program_that_is_missing(self) -> None:
        one = self.instance()
        one.environment = dataclasses.replace(one.environment, engine_home=pathlib.Path("/nonexistent"))
        one.agent_restarts()
        message = self.assert_refused("engine.program", one.prepare).message
        self.assertRegex(message, "cannot be executed|is not in the image")

    def test_a_deep_directory(self) -> None:
        """The path of the socket may have 107 bytes, the agent's directory more."""
        directory = self.tempdir() / ("d" * 60) / ("e" * 60)
        one = engines.Instance(self.manager, self.installation, directory)
        self.addCleanup(one.destroy)
        one.prepare()
        one.admit("ann", "pw")
        one.agent_restarts()
        one.handler.supervise()
        one.connect("ann", "pw", "").close()
        one.do(command.Restart())
        self.assertEqual("healthy", one.handler.status().status)
        self.assertTrue(list(pathlib.Path(tempfile.gettempdir()).glob("trove-socket-*/server.sock")))


engines.for_each_engine(globals(), Accounts, managers=MANAGERS)
engines.for_each_engine(globals(), Operation, newest_only=True, managers=MANAGERS)
engines.for_each_engine(globals(), Preparation, newest_only=True, managers=MANAGERS)
