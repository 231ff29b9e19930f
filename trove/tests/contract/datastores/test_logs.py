# SPDX-License-Identifier: Apache-2.0
"""The logs of real engines: which there are, switched on and off, and nothing of Trove's own passwords in them; and
that they stay small, whatever a tenant has them write."""

import threading
import time
from pathlib import Path

from trove.datastores import spi
from trove.datastores.enginelib import logs
from trove.datastores.postgresql.guest import handler as postgresql
from trove.tests.contract.datastores import engines
from trove.wire import command

#: {datastore: {log: type}}
LOGS = {
    "postgresql": {"general": "USER"},
    "mariadb": {"general": "USER", "slow_query": "USER", "error": "SYS"},
    "mysql": {"general": "USER", "slow_query": "USER", "error": "SYS"},
    "redis": {"server": "SYS"},
    "valkey": {"server": "SYS"},
}
SECRETS = ("hunter2-of-bob", "hunter3-of-bob", "hunter4-of-root")


class Logs(engines.EngineTestCase):
    def log(self, one: engines.Instance, name: str) -> spi.EngineLog:
        (found,) = [log for log in one.handler.logs() if log.name == name]
        return found

    def text(self, one: engines.Instance, name: str) -> str:
        return "".join(path.read_text(errors="replace") for path in self.log(one, name).paths)

    def say(self, one: engines.Instance, word: str) -> None:
        client = one.connect("ann", "secret", "shop")
        client.execute(f"SELECT '{word}'")
        client.close()

    def await_text(self, one: engines.Instance, name: str, word: str) -> None:
        deadline = time.monotonic() + 30
        while word not in self.text(one, name):
            self.assertTrue(time.monotonic() < deadline, f"{word!r} is not in the log {name}: {self.text(one, name)}")
            time.sleep(0.05)

    def administer(self, one: engines.Instance, user: str) -> None:
        """Do what handles passwords."""
        key = command.UserKey(name=user)
        one.do(command.CreateUsers(users=[command.UserSpec(name=user, password=SECRETS[0])]))
        one.do(command.AlterUser(user=key, new_password=SECRETS[1]))
        one.do(command.EnableRoot(password=SECRETS[2]))
        one.do(command.DisableRoot())

    def test_logs(self) -> None:
        one = self.instance(templates=self.tempdir())
        self.assertEqual(LOGS[self.manager], {log.name: log.type for log in one.handler.logs()}, "before anything")
        one.prepare()
        one.admit("ann", "secret")
        for log in one.handler.logs():
            self.assertEqual(False if log.type == "USER" else None, log.enabled, log.name)
            self.assertFalse(log.restart)
            self.assertTrue(all(isinstance(path, Path) and path.is_file() for path in log.paths))
        names = [name for name, kind in LOGS[self.manager].items() if kind == "SYS"]
        for name in (*names, "no_such_log"):
            self.assert_refused("log.not_switchable", one.do, command.SetLog(log=name, enabled=False))
        if "general" in LOGS[self.manager]:
            self.general(one)
        if "slow_query" in LOGS[self.manager]:
            self.slow_query(one)
        self.administer(one, "zoe")
        everything = one.log() + "".join(self.text(one, name) for name in LOGS[self.manager])
        for secret in SECRETS:
            self.assertNotIn(secret, everything)

    def general(self, one: engines.Instance) -> None:
        self.say(one, "before-it")
        one.do(command.SetLog(log="general", enabled=True))
        self.assertEqual(True, self.log(one, "general").enabled)
        self.say(one, "switched-on")
        self.await_text(one, "general", "switched-on")
        self.assertNotIn("before-it", self.text(one, "general"))
        self.administer(one, "bob")
        one.do(command.Restart())
        one.agent_restarts()
        self.assertEqual(True, self.log(one, "general").enabled)
        self.say(one, "after-a-restart")
        self.await_text(one, "general", "after-a-restart")
        # What the log has of Trove's own is that it connects.
        for word in ("CREATE USER", "ALTER USER", "CREATE ROLE", "ALTER ROLE", "GRANT", "SCRAM-SHA-256$", "bob"):
            self.assertNotIn(word, self.text(one, "general"))
        one.do(command.SetLog(log="general", enabled=False))
        one.do(command.SetLog(log="general", enabled=False))
        self.say(one, "switched-off")
        self.assertEqual(False, self.log(one, "general").enabled)
        self.assertNotIn("switched-off", self.text(one, "general"))

    def slow_query(self, one: engines.Instance) -> None:
        one.do(command.SetLog(log="slow_query", enabled=True))
        one.do(command.Configure(values={"long_query_time": 0, "log_queries_not_using_indexes": True}))
        self.say(one, "slow-one")
        self.await_text(one, "slow_query", "slow-one")
        self.administer(one, "dan")
        for word in ("CREATE USER", "ALTER USER", "GRANT", "dan"):
            self.assertNotIn(word, self.text(one, "slow_query"))


engines.for_each_engine(globals(), Logs, newest_only=True, needs=spi.Capability.LOGS, managers=tuple(LOGS))


#: Bytes that a tenant has the engine log; a test that fails leaves no more on the disk.
FLOOD = 160 * 1024 * 1024
#: What the files of the log may have together between two looks at them, and what of the flood may come between two.
RINGS = {
    "postgresql": postgresql.LOG_BYTES,
    "mariadb": (2 * logs.KEEP + 1) * logs.MAX_BYTES,
    "mysql": (2 * logs.KEEP + 1) * logs.MAX_BYTES,
}


class Floods(engines.EngineTestCase):
    def flood(self, one: engines.Instance) -> None:
        """Have the engine log without an end, as a tenant can."""
        client = one.connect("ann", "secret", "shop")
        self.addCleanup(client.close)
        if self.manager == "postgresql":
            loop = f"FOR i IN 1..{FLOOD // 8000} LOOP RAISE LOG '%', repeat('x', 8000); END LOOP;"
            client.execute(f"DO $$ BEGIN {loop} END $$")
            return
        for _ in range(FLOOD // 2**20):
            client.execute(f"SELECT LENGTH('{'x' * 2**20}')")

    def test_a_flood_does_not_fill_the_disk(self) -> None:
        one = self.prepared()
        one.admit("ann", "secret")
        one.do(command.SetLog(log="general", enabled=True))
        flood = threading.Thread(target=self.flood, args=(one,))
        flood.start()
        most = looks = 0
        while flood.is_alive():
            one.handler.limit_logs()  # what the agent does all the time, by a thread of its own
            flood.join(0.05)
            (log,) = [log for log in one.handler.logs() if log.name == "general"]
            most, looks = max(most, sum(logs.size(path) for path in log.paths)), looks + 1
        one.handler.limit_logs()
        (log,) = [log for log in one.handler.logs() if log.name == "general"]
        left = sum(logs.size(path) for path in log.paths)
        self.assertLessEqual(left, RINGS[self.manager])
        self.assertGreater(left, 0, "the newest lines are kept")
        self.assertLess(most, FLOOD, f"in {looks} looks")
        self.assertEqual(1, one.connect("ann", "secret", "shop").execute("SELECT 1")[0][0])


engines.for_each_engine(globals(), Floods, newest_only=True, needs=spi.Capability.LOGS, managers=tuple(RINGS))
