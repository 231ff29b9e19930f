# SPDX-License-Identifier: Apache-2.0
"""The guest agent in an environment without the control plane's libraries: it imports, it runs, and it stays small."""

import json
import subprocess
from typing import Any

from trove.tests.base import FunctionalTestCase
from trove.tests.functional.guestagent import slim
from trove.tests.functional.guestagent.agents import AgentProcess
from trove.tests.functional.guestagent.control import ControlPlane
from trove.wire import command

#: What must not even be installed where this runs.
FORBIDDEN = (
    "sqlalchemy",
    "alembic",
    "oslo_config",
    "oslo_context",
    "oslo_db",
    "oslo_log",
    "oslo_messaging",
    "oslo_service",
    "oslo_versionedobjects",
    "webob",
    "openstack",
    "keystoneauth1",
    "requests",
    "yaml",
    "eventlet",
    "tornado",
)
#: Every other module that is loaded comes with Python.
ALLOWED = {"trove", "msgspec", "cryptography", "psycopg2", "_cffi_backend", "cffi", "_openssl"}
#: The parts of Trove that a guest may load.
PARTS = {"cmd", "common", "datastores", "domain", "guestagent", "guestbus", "wire"}

#: Imports the agent and the handler as an agent would, then everything else a guest may use. The messaging transport is
#: left out: it is the one part that needs more, and comes with an extra of its own.
_SCRIPT = """
import importlib, importlib.util, json, pkgutil, sys
import trove.cmd.guest
import trove.guestagent.agent, trove.guestbus.gateway_client, trove.datastores.postgresql.guest.handler
agent = sorted(sys.modules)
import trove.guestagent, trove.guestbus, trove.wire, trove.domain, trove.datastores.postgresql.guest
for package in (trove.guestagent, trove.guestbus, trove.wire, trove.domain, trove.datastores.postgresql.guest):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith("trove.guestbus.messaging"):
            importlib.import_module(module.name)
print(json.dumps({
    "agent": agent,
    "all": sorted(sys.modules),
    "stdlib": sorted(sys.stdlib_module_names),
    "found": [name for name in sys.argv[1:] if importlib.util.find_spec(name)],
    "entered": trove.cmd.guest.__name__,
}))
"""


class TestSlimEnvironment(FunctionalTestCase):
    timeout = 900  # the first run builds the environment

    def setUp(self) -> None:
        super().setUp()
        self.python = str(slim.python())

    def load(self) -> dict[str, Any]:
        done = subprocess.run(
            [self.python, "-c", _SCRIPT, *FORBIDDEN],
            env={"PYTHONPATH": str(slim.SOURCE), "PATH": "/usr/bin:/bin"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        loaded: dict[str, Any] = json.loads(done.stdout)
        return loaded

    def test_needs_nothing_of_the_control_plane(self) -> None:
        loaded = self.load()
        self.assertEqual([], loaded["found"], "the environment is not slim, so it proves nothing")
        roots = {name.partition(".")[0] for name in loaded["all"]}
        strangers = {name for name in roots - set(loaded["stdlib"]) - ALLOWED if not name.startswith("__")}
        self.assertEqual(set(), strangers - {"sitecustomize", "_distutils_hack", "distutils-precedence"})
        parts = {name.split(".")[1] for name in loaded["all"] if name.startswith("trove.")}
        self.assertEqual(set(), parts - PARTS)

    def test_agent_loads_no_more_than_it_uses(self) -> None:
        loaded = set(self.load()["agent"])
        self.assertIn("psycopg2", loaded)
        for costly in (
            "asyncio",
            "multiprocessing",
            "concurrent.futures",
            "unittest",
            "logging.handlers",
            "importlib.metadata",
            "pdb",
            "tkinter",
            "xml.etree",
        ):
            self.assertNotIn(costly, loaded)

    def test_whole_agent_runs(self) -> None:
        control = self.useFixture(ControlPlane())
        guest = control.world.guest()
        agent = self.useFixture(
            AgentProcess(guest.id, control.gateway.url, guest.document.one_time_key, python=self.python)
        )
        self.addOnException(lambda _info: print(agent.log()))
        agent.start()
        prepare = command.Prepare(
            shape=command.ShapeSpec(vcpus=1, ram_mib=512, volume_gib=1),
            address="127.0.0.1",
            port=5432,
            admin_password="secret",
        )
        create = command.CreateDatabases(databases=[command.DatabaseSpec(name="a")])
        for order in (prepare, create):
            self.assertEqual("DONE", control.finished(control.submit(guest.id, order)).state)
        self.assertEqual(["a"], control.databases(guest.id))
