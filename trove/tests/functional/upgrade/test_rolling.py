# SPDX-License-Identifier: Apache-2.0
"""A rolling upgrade from the previous release under load: no request fails, and nothing is stuck afterwards.

Expand first; then the processes are replaced one by one, in an order in which each program of either release meets each
of the other one, and each agent both; contract last.
"""

import pathlib
from typing import ClassVar

import sqlalchemy as sa
import yaml

from trove.tests.e2e import base
from trove.tests.e2e.cloud import Cloud
from trove.tests.functional.upgrade import load, previous

#: In this order: a newer taskmanager and API with an older conductor, then the reverse.
_ORDER = ("taskmanager-1", "api", "conductor", "taskmanager-2", "api-2")


class MixedCloud(Cloud):
    """Processes of two releases, with two API processes.

    :param older: directory of the programs of the previous release, with which everything begins.
    """

    processes_and_programs = (*Cloud.processes_and_programs, ("api-2", "api"))

    def __init__(self, root: pathlib.Path, older: pathlib.Path) -> None:
        super().__init__(root, "gateway")
        self.second_port = base.free_port()
        self._older = older
        self._upgraded: set[str] = set()

    def more_options(self, name: str) -> str:
        """Return the port of the second API process, and what an operator sets while the former release runs."""
        port = f"bind_port = {self.second_port}\n" if name == "api-2" else ""
        return f"{port}[security]\nciphertext_version = 1\n"

    def program(self, process: str, name: str) -> str:
        """Return the program of the release that ``process`` runs."""
        return super().program(process, name) if process in self._upgraded else str(self._older / name)

    def upgrade(self, name: str) -> None:
        """Replace one process by one of this release, as an operator does."""
        self.stop(name)
        self._upgraded.add(name)
        self.start(name)
        if name.startswith("api"):
            base.wait_until(self._ready, f"{name} answers")

    def migrate(self, branch: str) -> None:
        """Run the migrations of ``branch`` with the programs of this release."""
        before = set(self._upgraded)
        self._upgraded.add("api")
        self.manage("db_sync", f"--{branch}")
        self._upgraded = before

    def unfinished(self) -> list[str]:
        """Return the kinds and states of workflows that have not ended."""
        query = sa.text("SELECT kind, state FROM workflows WHERE finished_at IS NULL")
        with self._engine.connect() as connection:
            return [f"{row.kind} {row.state}" for row in connection.execute(query)]

    def balancer(self) -> load.Balancer:
        """Return a balancer over both API processes."""
        auth = yaml.safe_load((self.root / "clouds.yaml").read_text())["clouds"]["trove-standalone"]["auth"]
        first = auth["endpoint"]
        endpoints = [first, first.replace(f":{self.api_port}/", f":{self.second_port}/")]
        return load.Balancer(endpoints, (auth["username"], auth["password"]))


class RollingUpgradeTest(base.EndToEndTestCase):
    timeout: ClassVar[int] = 1200

    def test_under_load(self) -> None:
        cloud = self._cloud()
        balancer = cloud.balancer()
        life = load.Life(balancer)
        old = life.create("old", "postgresql")
        life.wait_active(old)
        work = self.useFixture(
            load.Load(
                edits=lambda n: life.edit(old, f"edit{n}"),
                lives=lambda n: life.whole(f"life{n}", "redis"),
            )
        )
        work.more()
        cloud.migrate("expand")
        for name in _ORDER:
            cloud.upgrade(name)
            work.more()
        made_between = life.create("between", "postgresql")
        life.wait_active(made_between)
        cloud.migrate("contract")
        work.more()
        life.edit(made_between, "late")
        work.finish()
        for instance_id in (old, made_between):
            life.restart(instance_id)
            life.delete(instance_id)
        self.assertEqual(([], []), (balancer.failures, work.errors))
        base.wait_until(lambda: not cloud.unfinished(), f"all work has ended; there is {cloud.unfinished()}")
        self.assertEqual([], balancer.call("GET", "/instances", expected=[200]).json()["instances"])
        self.assertEqual([], list((cloud.root / "guests" / "servers").iterdir()))
        self.assertIn("trove-conductor", cloud.manage("service", "list"))

    def _cloud(self) -> MixedCloud:
        directory = self.tempdir()
        directory.chmod(0o711)
        try:
            older = previous.install(directory / "previous")
        except previous.NoHistory as err:
            self.skipTest(str(err))
        cloud = MixedCloud(directory / "cloud", older)

        def attach(_exc_info: object) -> None:
            for path in sorted(cloud.root.glob("*.log")) + sorted(cloud.root.glob("guests/servers/*/*.log")):
                tail = "\n".join(path.read_text(errors="replace").splitlines()[-100:])
                self.addDetail(str(path.relative_to(cloud.root)), base.base.testtools.content.text_content(tail))

        self.addOnException(attach)
        return self.useFixture(cloud)
