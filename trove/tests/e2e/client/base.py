# SPDX-License-Identifier: Apache-2.0
"""What the tests of the client's commands share: one service and one instance of each engine in a test process.

The service starts with the first test that needs it and ends with the process. Tests must leave the shared instances
as they found them, and name what they make after themselves.
"""

import atexit
import functools
import os
import pathlib
import shutil
import tempfile
from typing import Any

from testtools import matchers

from trove.tests.e2e import base
from trove.tests.e2e.client import table
from trove.tests.e2e.client.shell import Run, ServiceLog, Shell

#: Reasons of refusals: what the service's message must contain.
LACKS = "it does not have the capability '{}'."
#: A page smaller than what tests make, so that the client has to ask for more.
_CONF = "[DEFAULT]\ndatabases_page_size = 2\nusers_page_size = 2\nconfigurations_page_size = 50\n[local]\ntier = 1\n"


def environment(clouds: pathlib.Path, home: pathlib.Path) -> dict[str, str]:
    """Return the whole environment of a client."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OS_CLIENT_CONFIG_FILE": str(clouds),
        "OS_CLOUD": "trove-standalone",
        "COLUMNS": "200",
    }


class World:
    """A service, a client for it, and instances of every engine that a test asks for."""

    def __init__(self) -> None:
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="trove-test-client-", dir="/tmp"))
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)
        (self.root / "service").mkdir()
        (self.root / "service" / "trove.conf").write_text(_CONF)
        self.service = base.Standalone(self.root / "service")
        self.service.setUp()
        atexit.register(self.service.cleanUp)
        self.http = self.service.client
        self.environment = environment(self.service.layout.clouds, self.root)
        self.shell = Shell(self.environment, ServiceLog(self.service.layout.log))
        atexit.register(self.shell.close)
        self._instances: dict[str, str] = {}

    def request_instance(self, name: str, datastore: str, **options: Any) -> str:
        """Ask for an instance and return its id."""
        wanted = {"name": name, "flavorRef": "1", "volume": {"size": 1}, "datastore": {"type": datastore}, **options}
        answer = self.http.call("POST", "/instances", {"instance": wanted})
        answer.raise_for_status()
        return str(answer.json()["instance"]["id"])

    def instance(self, datastore: str) -> str:
        """Return the id of the shared instance of ``datastore``, which is also its name, when it is ready."""
        if datastore not in self._instances:
            options: dict[str, Any] = {}
            if datastore != "redis":
                user = {"name": "app", "password": "app-secret", "databases": [{"name": "shop"}]}
                options = {"databases": [{"name": "shop"}], "users": [user]}
            self._instances[datastore] = self.request_instance(datastore, datastore, **options)
        self.http.wait_active(self._instances[datastore])
        return self._instances[datastore]


@functools.cache
def world() -> World:
    """Return the world of this process."""
    return World()


class CommandsTestCase(base.EndToEndTestCase):
    """Commands of the client.

    :ivar shell: runs them; set by who sets the scene, with ``http`` for what the client has no command for.
    :ivar last: the last command that has succeeded.
    """

    shell: Shell
    http: base.Client
    last: Run

    def run_client(self, *words: str) -> Run:
        """Run a command to its end, whatever comes of it; the first of ``words`` is the whole command."""
        return self.shell.run(*words[0].split(), *words[1:])

    def ask(self, *words: str) -> Any:
        """Run a command that must succeed and return its JSON, or ``None`` if it prints nothing of the kind."""
        prints = words[0] in table.printing()
        run = self.run_client(*words, *(["-f", "json"] if prints else []))
        self.assertEqual(0, run.code, run)
        self.last = run
        return run.document if prints and run.stdout.strip() else None

    def works(self, *words: str) -> Any:
        """Do as :meth:`ask`, for the documentation; what only shows something must show the same in a table."""
        found = self.ask(*words)
        self._compare(words[0], self.last, "works")
        if found and {"list", "show"} & set(words[0].split()):
            printed = self.run_client(*words)
            self.assertEqual(0, printed.code, printed)
            row = found[0] if isinstance(found, list) else found
            self.assertEqual([], [name for name in row if str(name) not in printed.stdout], printed)
        return found

    def refused(self, *words: str, says: str, because: str, status: int | None = None) -> Run:
        """Run a command that must fail with a sentence, for the documentation.

        :param says: what the client must print.
        :param because: the reason in the table.
        :param status: HTTP status of the last call; ``None`` if the client itself refuses.
        """
        run = self.fails(*words, says=says, status=status)
        self._compare(words[0], run, f"refused: {because}")
        return run

    def fails(self, *words: str, says: str, status: int | None = None) -> Run:
        """Run a command that must fail with a sentence."""
        run = self.run_client(*words)
        self.assertEqual(1, run.code, run)
        self.assertIn(says, run.stdout + run.stderr, run)
        if status is not None:
            self.assertIn(f"HTTP {status}", run.stdout + run.stderr, run)
            self.assertEqual(str(status), run.calls[-1].rpartition(" ")[2], run)
        return run

    def _compare(self, command: str, run: Run, result: str) -> None:
        self.assertEqual([], [call for call in run.calls if call.endswith(": 500")], run)
        row = table.Row(command, table.folded(run.calls), result, self.id())
        written = table.load().get(command)
        if row != written and table.writing():
            table.write(row)
        # The test goes on, so that it puts back what it has changed, and fails in the end.
        self.expectThat(row, matchers.Equals(written), f"the row of {command!r} in {table.FILE.name} is another one")


class ClientTestCase(CommandsTestCase):
    """Commands of the client against the shared service."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.world = world()

    def setUp(self) -> None:
        super().setUp()
        self.http = self.world.http
        self.shell = self.world.shell
        self.addOnException(self._attach_service_log)

    def _attach_service_log(self, _exc_info: Any) -> None:
        lines = self.world.service.layout.log.read_text(errors="replace").splitlines()[-200:]
        self.addDetail("service", base.base.testtools.content.text_content("\n".join(lines)))
