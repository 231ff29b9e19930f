# SPDX-License-Identifier: Apache-2.0
"""The service as processes of its own over a private RabbitMQ and MariaDB: one API, two taskmanagers, one conductor."""

import contextlib
import os
import pathlib
import re
import secrets
import signal
import subprocess
import sys
import textwrap
from typing import Any, ClassVar

import fixtures
import sqlalchemy as sa
import yaml

from trove.api import authn
from trove.common import clock
from trove.db.crypto import KeyEncryptionKey
from trove.guestagent.system.process import command_line
from trove.providers.local.provider import LocalProvider
from trove.tests.e2e import base
from trove.tests.fixtures import afterwards
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rabbitmq import RabbitFixture

#: The page that operators follow; its configuration is the one that is tested.
_PAGE = pathlib.Path(__file__).resolve().parents[3] / "doc" / "source" / "admin" / "deployment.rst"

#: What the page has no reason to set.
_ADDED = """
[guest_bus]
transport = {transport}
heartbeat_interval = 2
agent_heartbeat_expiry = 20

[workflow]
lease_ttl = 4
poll_interval = 1
"""


def page_configuration() -> str:
    """Return the configuration of the deployment page as it stands there."""
    text = _PAGE.read_text(encoding="utf-8")
    text = text[text.index("\nConfiguration\n====") :]
    found = re.search(r"\.\. code-block:: ini\n\n((?: {3}.*\n|\n)+)", text)
    assert found is not None, f"{_PAGE} shows no configuration"
    return textwrap.dedent(found[1])


class Cloud(fixtures.Fixture):
    """All processes, in a directory of their own.

    :param transport: how guests talk to the conductor: ``gateway`` or ``messaging``.
    """

    #: Process and its program, in the order of their start.
    processes_and_programs: ClassVar[tuple[tuple[str, str], ...]] = (
        ("conductor", "conductor"),
        ("taskmanager-1", "taskmanager"),
        ("taskmanager-2", "taskmanager"),
        ("api", "api"),
    )

    def __init__(self, root: pathlib.Path, transport: str) -> None:
        super().__init__()
        self.root = root
        self.transport = transport
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def _setUp(self) -> None:
        self.root.mkdir(parents=True)
        self.root.chmod(0o711)
        (self.root / "guests").mkdir()
        broker = self.useFixture(RabbitFixture())
        database = self.useFixture(DatabaseFixture("mysql", create_tables=False))
        self._engine = database.db.engine
        self.api_port, self.gateway_port = base.free_port(), base.free_port()
        KeyEncryptionKey.create_file(self.root / "key-encryption-key")
        self._make_certificate()
        self._write_configs(broker, database.url)
        project, password = secrets.token_hex(16), secrets.token_urlsafe(16)
        user = {"name": "admin", "password": password, "project_id": project, "roles": ["admin", "member", "reader"]}
        authn.write_users_file(self.root / "users.yaml", [user])
        endpoint = f"http://127.0.0.1:{self.api_port}/v1.0/{project}"
        auth = {"endpoint": endpoint, "username": "admin", "password": password}
        clouds = {"clouds": {"trove-standalone": {"auth_type": "http_basic", "auth": auth}}}
        (self.root / "clouds.yaml").write_text(yaml.safe_dump(clouds))
        halt = afterwards.start([sys.executable, "-m", __name__, str(self.root)])
        self.addCleanup(halt.communicate, timeout=base.PATIENCE)  # ends what it waits for
        self.addCleanup(self._stop)
        self.manage("db_sync")
        self.manage("seed_local")
        for name, _ in self.processes_and_programs:
            self.start(name)
        self.client = base.Client(self.root / "clouds.yaml", self.root)
        base.wait_until(self._ready, "the API answers")

    def _make_certificate(self) -> None:
        """Do as the page says: a certificate of the gateway that is its own authority."""
        made = subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=trove-gateway",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(self.root / "gateway.key"),
                "-out", str(self.root / "gateway.crt"),
            ],
            capture_output=True, text=True, check=False, timeout=base.PATIENCE,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def _write_configs(self, broker: RabbitFixture, database_url: str) -> None:
        page = page_configuration()
        replaced = {
            "rabbit://trove:BUS_SECRET@127.0.0.1:5672/trove": broker.url,
            "mysql+pymysql://trove:DB_SECRET@127.0.0.1/trove?charset=utf8mb4": database_url.replace("%", "%%"),
            "https://127.0.0.1:8778": f"https://127.0.0.1:{self.gateway_port}",
            "/etc/trove/": f"{self.root}/",
            "/var/lib/trove/guests": f"{self.root}/guests",
            "[DEFAULT]\n": f"[DEFAULT]\nbind_port = {self.api_port}\n",
        }
        for there, here in replaced.items():
            assert there in page, f"the page says nothing of {there} any more"
            page = page.replace(there, here)
        page += _ADDED.format(transport=self.transport)
        if self.transport == "messaging":
            vhost = broker.add_vhost()
            page += f"\n[guest_bus]\ntransport_url = {broker.url_for(*broker.add_user(vhost), vhost)}\n"
        for name, _ in self.processes_and_programs:
            path = self.config(name)
            path.write_text(f"{page}\n[DEFAULT]\nhost = {name}\n{self.more_options(name)}")
            path.chmod(0o600)

    def more_options(self, name: str) -> str:
        """Return what is added to ``[DEFAULT]`` of a process."""
        return ""

    def config(self, name: str) -> pathlib.Path:
        """Return the configuration file of a process."""
        return self.root / f"{name}.conf"

    def log(self, name: str) -> pathlib.Path:
        """Return the log of a process."""
        return self.root / f"{name}.log"

    def manage(self, *words: str) -> str:
        """Run ``trove-manage``."""
        argv = [self.program("api", "trove-manage"), "--config-file", str(self.config("api")), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=base.PATIENCE)
        assert done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
        return done.stdout

    def owner(self, instance_id: str) -> str | None:
        """Return the name of the taskmanager that holds the lease of an instance's workflow at this moment."""
        query = sa.text("SELECT owner FROM workflows WHERE resource_id = :id AND owner IS NOT NULL")
        with self._engine.connect() as connection:
            found = connection.execute(query, {"id": instance_id}).scalar()
        return None if found is None else str(found).partition(":")[0]

    def start(self, name: str) -> None:
        """Start one process."""
        program = dict(self.processes_and_programs)[name]
        argv = [self.program(name, f"trove-{program}"), "--config-file", str(self.config(name))]
        with open(self.log(name), "ab") as log:
            self.processes[name] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        """Have one process end in order."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(base.PATIENCE) == 0, f"{name} did not end in order"

    def kill(self, name: str) -> None:
        """Kill one process −9."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def program(self, process: str, name: str) -> str:
        """Return the path of the program ``name`` as ``process`` runs it."""
        return str(pathlib.Path(sys.executable).with_name(name))

    def _ready(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended: {self.log(name).read_text()[-2000:]}"
        try:
            return bool(self.client.call("GET", "/flavors").ok)
        except OSError:
            return False

    def _stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def stop_all(root: pathlib.Path) -> None:
    """End every process that was started with a configuration file below ``root``, and the databases that they made."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        if f"--config-file {root}/" in command_line(int(path.name)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.name), signal.SIGKILL)
    provider: Any = LocalProvider(root / "guests")
    give_up = clock.monotonic() + 30
    while not provider.halt() and clock.monotonic() < give_up:
        clock.sleep(0.1)


if __name__ == "__main__":
    stop_all(pathlib.Path(sys.argv[1]))
