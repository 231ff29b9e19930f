# SPDX-License-Identifier: Apache-2.0
"""What an agent costs: its resident memory with the real PostgreSQL behind it, and the modules it does without."""

import json
import os
import pathlib
import signal
import sys
import unittest

from testtools import content

from trove.datastores.postgresql.plugin import PostgreSQL
from trove.guestagent.system.process import command_line
from trove.tests.fixtures.certificates import Authority
from trove.tests.fixtures.unprivileged import UnprivilegedTestCase
from trove.tests.functional.guestagent.agents import AgentProcess
from trove.tests.functional.guestagent.control import ControlPlane, wait_for
from trove.wire import command

#: The published figure, in bytes.
LIMIT = 45_000_000
#: What an agent beside a plain-HTTP gateway must not have loaded once it has done all sorts of work.
LEFT_OUT = {
    "ssl", "_ssl", "_hashlib", "bz2", "_bz2", "lzma", "_lzma", "typing_extensions", "asyncio",
    "multiprocessing", "concurrent.futures", "logging.handlers", "importlib.metadata", "unittest", "urllib.request",
    "oslo_config", "oslo_messaging", "sqlalchemy", "yaml", "requests",
}  # fmt: skip

#: The agent, with a signal that writes down which modules it has loaded.
_PROGRAM = """
import os, signal, sys
from trove.cmd import guest
names = sys.argv.pop(1)
def dump(number, frame):
    with open(names + ".new", "w") as stream:
        stream.write(chr(10).join(name for name, module in list(sys.modules.items()) if module is not None))
    os.replace(names + ".new", names)
signal.signal(signal.SIGUSR1, dump)
sys.exit(guest.main())
"""


class MemoryCase(UnprivilegedTestCase):
    timeout = 180
    tls = False

    def setUp(self) -> None:
        super().setUp()
        found = PostgreSQL().detect()
        if not found:
            raise unittest.SkipTest("there is no PostgreSQL on this host")
        authority = Authority() if self.tls else None
        certificate = authority.issue(pathlib.Path(self.tempdir())) if authority else None
        self.control = self.useFixture(ControlPlane(certificate))
        guest = self.control.world.guest()
        self.agent = self.useFixture(AgentProcess(guest.id, self.control.gateway.url, guest.document.one_time_key))
        self.names = pathlib.Path(self.tempdir()) / "modules"
        self.agent.program = ["-P", "-c", _PROGRAM, str(self.names)]
        self.agent.write_bootstrap(
            datastore_manager="postgresql",
            datastore_version=found[0].version,
            engine_home=str(found[0].home),
            ca=authority.pem if authority else None,
        )
        self.addOnException(lambda _info: sys.stdout.write(self.agent.log()))
        self.addCleanup(self.end_engine)
        self.agent.start()

    def end_engine(self) -> None:
        self.agent.kill_all()
        for number in filter(str.isdigit, os.listdir("/proc")):
            words = command_line(int(number))
            if str(self.agent.data) in words and "postgres" in words:
                os.kill(int(number), signal.SIGKILL)

    def work(self) -> None:
        """Let the agent do one of everything that needs a library."""
        key = command.UserKey(name="app")
        user = command.UserSpec(name="app", password="first-password", databases=["shop"])
        orders: list[command.Command] = [
            command.Prepare(
                shape=command.ShapeSpec(vcpus=1, ram_mib=512, volume_gib=1),
                address="127.0.0.1",
                port=21000 + os.getpid() % 9000,
                admin_password="admin-password",
            ),
            command.CreateDatabases(databases=[command.DatabaseSpec(name="shop")]),
            command.CreateUsers(users=[user]),
            command.CreateUsers(users=[user]),  # compares the password with the stored verifier
            command.AlterUser(user=key, new_password="second-password"),
            command.EnableRoot(password="root-password"),
            command.Restart(),
        ]
        for order in orders:
            row = self.control.finished(self.control.submit(self.agent.instance_id, order), 60)
            self.assertEqual(("DONE", None), (row.state, row.error_detail), order.name)
        self.assertEqual(["shop"], self.control.databases(self.agent.instance_id))
        wait_for(
            lambda: (self.control.heartbeat(self.agent.instance_id) or {}).get("service_status") == "healthy",
            what="a healthy heartbeat",
        )

    def resident(self) -> int:
        """Return the agent's resident memory in bytes."""
        assert self.agent.process is not None
        status = pathlib.Path(f"/proc/{self.agent.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def modules(self) -> set[str]:
        """Return the names of the modules that the agent has loaded."""
        self.agent.signal(signal.SIGUSR1)
        wait_for(self.names.exists, what="the list of modules")
        return set(self.names.read_text().split("\n"))


class TestMemory(MemoryCase):
    def test_small_after_work(self) -> None:
        self.work()
        resident, loaded = self.resident(), self.modules()
        figures = json.dumps({"resident_bytes": resident, "modules": len(loaded)})
        self.addDetail("figures", content.text_content(figures))
        self.assertIn("trove.datastores.postgresql.guest.handler", loaded)
        self.assertEqual(set(), loaded & LEFT_OUT)
        self.assertLess(resident, LIMIT)
        # What the loader mapped, whatever Python calls it: one OpenSSL in cryptography, one in libpq, and no third.
        assert self.agent.process is not None
        mapped = pathlib.Path(f"/proc/{self.agent.process.pid}/maps").read_text()
        self.assertNotIn("/lib-dynload/_hashlib", mapped)
        self.assertNotIn("/lib-dynload/_ssl", mapped)

    def test_small_after_a_restart(self) -> None:
        self.work()
        self.agent.signal(signal.SIGTERM)
        self.assertEqual(0, self.agent.wait()[0])
        self.agent.start()
        order = command.CreateDatabases(databases=[command.DatabaseSpec(name="again")])
        self.assertEqual("DONE", self.control.finished(self.control.submit(self.agent.instance_id, order)).state)
        self.assertEqual(set(), self.modules() & LEFT_OUT)
        self.assertLess(self.resident(), LIMIT)


class TestMemoryWithTLS(MemoryCase):
    tls = True

    def test_works_and_loads_tls(self) -> None:
        self.work()
        self.assertIn("ssl", self.modules())
        self.assertEqual(set(), self.modules() & (LEFT_OUT - {"ssl", "_ssl", "_hashlib"}))

