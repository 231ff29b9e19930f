# SPDX-License-Identifier: Apache-2.0
"""What end-to-end tests share: the ordinary client as a subprocess, a standalone service, a connection to a
database."""

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import fixtures
import psycopg2
import requests
import yaml

from trove.common import clock
from trove.standalone import pidfile, report
from trove.standalone.layout import Layout
from trove.tests import base
from trove.tests.e2e.client import shell
from trove.tests.fixtures import afterwards
from trove.tests.fixtures.server_process import free_port

#: Seconds an operation may take on a busy machine.
PATIENCE = 120.0


def wait_until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE, pause: float = 0.1) -> Any:
    """Return the first true answer of ``condition``, asked every ``pause`` seconds.

    :raises AssertionError: naming ``what``, when there is none within ``timeout`` seconds.
    """
    give_up = clock.monotonic() + timeout
    while clock.monotonic() < give_up:
        answer = condition()
        if answer:
            return answer
        clock.sleep(pause)
    raise AssertionError(f"not within {timeout:.0f} s: {what}")


def alive(pid: int) -> bool:
    """Tell whether a process runs and is no zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


class ClientError(AssertionError):
    """The client ended with an error; ``text`` is what it printed."""

    def __init__(self, words: tuple[str, ...], text: str) -> None:
        self.text = text
        super().__init__(f"openstack database {' '.join(words)}: {text}")


class Client:
    """The unmodified ``openstack`` client of python-troveclient, and plain HTTP for what it has no command for.

    :class:`~trove.tests.e2e.client.test_program.ProgramTest` shows that a command is run as the program runs it.
    """

    def __init__(self, clouds: pathlib.Path, home: pathlib.Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            "OS_CLOUD": "trove-standalone",
        }
        auth = yaml.safe_load(clouds.read_text())["clouds"]["trove-standalone"]["auth"]
        self.endpoint = str(auth["endpoint"])
        self._session = requests.Session()
        self._session.auth = (auth["username"], auth["password"])

    def run(self, *words: str, json_output: bool = True) -> Any:
        """Run ``openstack database …`` and return its JSON answer, or its text."""
        argv = ["database", *words, *(["-f", "json"] if json_output else [])]
        code, stdout, stderr = shell.shared_worker().run(argv, self._environment)
        if code:
            raise ClientError(words, stderr + stdout)
        return json.loads(stdout) if json_output and stdout.strip() else stdout

    def call(self, method: str, path: str, body: Any = None, *, version: str | None = None) -> requests.Response:
        """Send one request below the project's URL."""
        headers = {"OpenStack-API-Version": f"database {version}"} if version else {}
        return self._session.request(method, f"{self.endpoint}{path}", json=body, headers=headers, timeout=30)

    def instance(self, instance_id: str) -> dict[str, Any] | None:
        """Return the instance as the API shows it at the latest microversion; ``None`` when it is gone."""
        answer = self.call("GET", f"/instances/{instance_id}", version="latest")
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        return dict(answer.json()["instance"])

    def wait_active(self, instance_id: str) -> dict[str, Any]:
        """Wait until the instance is ACTIVE and HEALTHY; an ERROR ends the wait at once."""

        def ready() -> dict[str, Any] | None:
            shown = self.instance(instance_id)
            assert shown is not None, "the instance is gone"
            assert shown["status"] != "ERROR", f"the instance failed: {shown.get('fault')}"
            return shown if (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY") else None

        found: dict[str, Any] = wait_until(ready, f"instance {instance_id} is ACTIVE and HEALTHY")
        return found

    def wait_gone(self, instance_id: str) -> None:
        """Wait until the instance is not found any more."""
        wait_until(lambda: self.instance(instance_id) is None, f"instance {instance_id} is gone")


class Standalone(fixtures.Fixture):
    """A ``trove-standalone`` service in a directory of its own; everything it started is stopped at the end."""

    def __init__(self, root: pathlib.Path, *, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.layout = Layout(root)
        self.port = free_port()
        self._environment = {**os.environ, **(environment or {})}

    def _setUp(self) -> None:
        down = afterwards.start(self._argv("down"), self._environment)
        self.addCleanup(down.communicate, timeout=PATIENCE)  # ends what it waits for
        self.up()
        if self.layout.clouds.exists():  # with Keystone, accounts are Keystone's
            self.client = Client(self.layout.clouds, self.layout.root)

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``trove-standalone`` on this data directory."""
        argv = self._argv(*words)
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=PATIENCE, env=self._environment
        )
        assert not check or done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
        return done

    def _argv(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "trove.standalone", "--data-dir", str(self.layout.root), *words]

    def up(self) -> None:
        """Start the service and wait until it answers."""
        self.command("up", "--detach", "--port", str(self.port))

    @property
    def pid(self) -> int:
        """Pid of the service, 0 when it does not run."""
        return pidfile.running(self.layout.pid)

    def kill(self) -> None:
        """Kill the service −9 and wait until it is dead."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), "the service is dead")

    def status(self) -> dict[str, Any]:
        """Return what ``trove-standalone status`` knows."""
        return report.status(self.layout)


class EndToEndTestCase(base.FunctionalTestCase):
    """A test with processes and engines; the log of a standalone service is attached when it fails."""

    timeout: ClassVar[int] = 600

    def standalone(self, configuration: str | None = None) -> Standalone:
        """Start a service in a fresh directory, with this text as its configuration file."""
        root = self.tempdir() / "service"
        if configuration is not None:
            root.mkdir()
            (root / "trove.conf").write_text(configuration)
        service = Standalone(root)

        def attach(_exc_info: Any) -> None:
            for path in [service.layout.log, *sorted(service.layout.guests.glob("servers/*/*.log"))]:
                if path.exists():
                    tail = "\n".join(path.read_text(errors="replace").splitlines()[-200:])
                    self.addDetail(f"{path.parent.name}/{path.name}", base.testtools.content.text_content(tail))

        self.addOnException(attach)
        return self.useFixture(service)

    def connect(self, shown: Mapping[str, Any], database: str, user: str, password: str) -> Any:
        """Return an autocommit connection to a PostgreSQL instance as ``user``; closed after the test."""
        endpoint = shown["endpoints"][0]
        connection = psycopg2.connect(
            host=endpoint["address"],
            port=endpoint["port"],
            dbname=database,
            user=user,
            password=password,
            connect_timeout=30,
        )
        connection.autocommit = True
        self.addCleanup(connection.close)
        return connection

    @staticmethod
    def rows(connection: Any, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
