# SPDX-License-Identifier: Apache-2.0
"""Commands whose engine is killed, right before and in the middle: each waits for its return and is done in the end.

The agent's part is :func:`trove.guestagent.persistence.carry_out`, as its dispatcher calls it. In the middle means
after a statement that the engine has carried out, so what is repeated meets what the first attempt left.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import psycopg2
import pymysql.cursors
from psycopg2 import extensions

from trove.datastores import spi
from trove.datastores.redis_family.guest import resp
from trove.guestagent import persistence
from trove.tests.contract.datastores import clients, configurations, engines
from trove.wire import command

#: Seconds that somebody waits for a command, as the control plane does.
PATIENCE = 240.0
ANN, EVE = command.UserKey(name="ann"), command.UserKey(name="eve")


class Crashes(engines.EngineTestCase):
    def carry_out(self, one: engines.Instance, asked: command.Command) -> Mapping[str, Any] | None:
        return persistence.carry_out(lambda: one.do(asked), one.handler, PATIENCE)

    def kill(self, one: engines.Instance) -> None:
        for pid in one.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def edits(self, one: engines.Instance) -> Sequence[command.Command]:
        """One of each command that changes what an owner has, in an order in which each has something to do."""
        access = ["shop"] if one.can(spi.Capability.ACCESS) else []
        found: list[command.Command] = []
        if one.can(spi.Capability.DATABASES):
            found.append(command.CreateDatabases(databases=[command.DatabaseSpec(name=name) for name in ("shop", "b")]))
        if one.can(spi.Capability.USERS):
            spec = command.UserSpec(name="ann", password="secret", databases=access)
            found.append(command.CreateUsers(users=[spec]))
        if one.can(spi.Capability.ACCESS):
            found.append(command.GrantAccess(user=ANN, databases=["shop", "b"]))
            found.append(command.RevokeAccess(user=ANN, database="b"))
        if one.can(spi.Capability.USERS):
            found.append(command.AlterUser(user=ANN, new_name="eve", new_password="other"))
        if one.can(spi.Capability.ROOT):
            found += [command.EnableRoot(password="r00t"), command.DisableRoot()]
        found.append(command.GrowVolume(volume_gib=2))
        return found

    def test_killed_before_each_edit(self) -> None:
        """The one that creates databases is an instance's creation, killed between its second step and its third."""
        one = self.prepared()
        for asked in self.edits(one):
            self.kill(one)
            self.carry_out(one, asked)
            one.do(command.StartEngine())  # on purpose, so that crashes are not counted up
        self.check(one)

    def test_killed_in_the_middle_of_each_edit(self) -> None:
        one = self.prepared()
        for asked in self.edits(one):
            with self.killed_after(one, 1, 4):
                self.carry_out(one, asked)
            one.do(command.StartEngine())
        self.check(one)
        for asked in (command.DropUser(user=EVE), command.DropDatabase(database="shop")):
            if asked.name in one.handler.commands():
                with self.killed_after(one, 1, 3):
                    self.carry_out(one, asked)
                one.do(command.StartEngine())
        self.assertRaises(clients.Refused, one.connect, "eve", "other", "shop")

    def check(self, one: engines.Instance) -> None:
        """What all edits together have made, and nothing else."""
        one.await_status("healthy")
        found = one.handler.inventory()
        assert found is not None
        databases = ["b", "shop"] if one.can(spi.Capability.DATABASES) else []
        self.assertEqual(databases, sorted(item.name for item in found.databases))
        self.assertEqual(["eve"], [user.name for user in found.users])
        self.assertFalse(found.root_enabled)
        if one.can(spi.Capability.ACCESS):
            self.assertEqual([["shop"]], [user.databases for user in found.users])
        client = one.connect("eve", "other", "shop")
        client.put(42)
        self.assertEqual([42], client.numbers())
        client.close()
        self.assertRaises(clients.Refused, one.connect, "ann", "secret", "shop")

    def test_killed_while_it_is_made(self) -> None:
        for statement in (1, 2):
            one = self.instance()
            host, port = one.address
            asked = command.Prepare(shape=one.small, address=host, port=port, admin_password=engines.ADMIN_PASSWORD)
            with self.killed_after(one, statement):
                self.carry_out(one, asked)
            one.await_status("healthy")
            one.admit("ann", "secret")
            one.connect("ann", "secret", "shop").close()
            one.destroy()

    def test_killed_around_a_restart(self) -> None:
        one = self.prepared()
        for asked in (command.Restart(), command.Reconfigure(shape=one.small), command.StartEngine()):
            self.kill(one)
            self.carry_out(one, asked)
            one.await_status("healthy")  # a start may find that it still runs, and the agent that it does not

    def test_killed_while_it_takes_values(self) -> None:
        case = configurations.CASES[self.manager]
        one = self.prepared()
        one.admit("ann", "secret")
        name, values = case.templated[0], case.templated[1:]
        for statement, (value, read) in zip((0, 1, 3), (*values, values[0]), strict=True):
            if statement:
                with self.killed_after(one, statement):
                    answer = self.carry_out(one, command.Configure(values={name: value}))
            else:
                self.kill(one)
                answer = self.carry_out(one, command.Configure(values={name: value}))
            self.assertEqual({"restart_required": []}, answer)
            one.await_status("healthy")
            self.assertEqual(read, case.read(one, name))
        wrong, worse = case.refused[0]
        with self.killed_after(one, 1):
            self.assert_refused("configuration.refused", self.carry_out, one, command.Configure(values={wrong: worse}))
        self.assertEqual(read, case.read(one, name))

    def test_one_that_stays_away_is_told_without_internals(self) -> None:
        one = self.prepared()
        one.do(command.StopEngine())
        for asked in self.edits(one)[:2]:
            error = self.assert_refused("engine.unavailable", self.carry_out, one, asked)
            self.assertIn("is stopped", error.message)
            self.assertNotIn("/", error.message)
            self.assertTrue(error.detail)

    @contextlib.contextmanager
    def killed_after(self, one: engines.Instance, *statements: int) -> Iterator[None]:
        """Kill the engine once after the first number of its statements, counted from then after the next."""
        left = list(statements)
        seen = [0]

        def counted() -> None:
            seen[0] += 1
            if left and seen[0] >= left[0]:
                del left[0]
                seen[0] = 0
                self.kill(one)

        with _watched(self.manager, counted):
            yield
        self.addDetail("kills left", _text(left))


def _text(value: object) -> Any:
    from testtools import content

    return content.text_content(repr(value))


def _watched(manager: str, counted: Callable[[], None]) -> contextlib.AbstractContextManager[Any]:
    """Have ``counted`` called after each statement of the service's."""
    if manager == "postgresql":

        class Cursor(extensions.cursor):
            def execute(self, *args: Any) -> None:
                super().execute(*args)
                counted()

        connect = psycopg2.connect

        def connected(**kwargs: Any) -> Any:
            return connect(**kwargs) if "async_" in kwargs else connect(**kwargs, cursor_factory=Cursor)

        return mock.patch.object(psycopg2, "connect", autospec=True, side_effect=connected)
    if manager in ("mysql", "mariadb"):
        execute = pymysql.cursors.Cursor.execute

        def executed(self: Any, *args: Any) -> Any:
            result = execute(self, *args)
            counted()
            return result

        return mock.patch.object(pymysql.cursors.Cursor, "execute", executed)
    ask = resp.Connection.ask

    def asked(self: Any, *words: str) -> Any:
        answer = ask(self, *words)
        if words[0] not in ("AUTH", "CLIENT"):  # how each session begins
            counted()
        return answer

    return mock.patch.object(resp.Connection, "ask", asked)


engines.for_each_engine(globals(), Crashes, newest_only=True)
