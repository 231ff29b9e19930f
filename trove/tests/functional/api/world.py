# SPDX-License-Identifier: Apache-2.0
"""The base of stories about instances: the API, a real worker with the real flows on a cloud in memory, and guests
that the test plays. Nothing runs by itself: :meth:`InstanceTestCase.settle` lets the world go on."""

from typing import Any

import sqlalchemy as sa

from trove.common.backoff import Backoff
from trove.datastores import spi
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.db import models
from trove.objects import quota
from trove.objectstore.base import ObjectStore
from trove.objectstore.filesystem import FilesystemStore
from trove.providers.fake import FakeProvider
from trove.providers.registry import Providers
from trove.taskmanager import flows
from trove.taskmanager.environment import Environment
from trove.tests.functional.api import base
from trove.tests.functional.api.guests import Guests
from trove.workflow.registry import Registry
from trove.workflow.worker import Worker

Row = dict[str, Any]


class KeyValueEngine:
    """A datastore plugin that can do nothing but run."""

    name = "tiny"
    versions = ("1",)
    capabilities: frozenset[spi.Capability] = frozenset()
    port = 6000
    root_name = "root"

    def validate_databases(self, databases: Any) -> list[str]:
        """Accept everything."""
        return []

    def validate_users(self, users: Any) -> list[str]:
        """Accept everything."""
        return []

    def validate_size(self, ram_mib: int, volume_gib: int) -> list[str]:
        """Accept everything."""
        return []

    def detect(self) -> list[spi.EngineInstallation]:
        """Find nothing."""
        return []


class HostsEngine(PostgreSQL):
    """PostgreSQL, if its users had hosts."""

    name = "hosts"
    capabilities = PostgreSQL.capabilities | {spi.Capability.USER_HOSTS}


class InstanceTestCase(base.ApiTestCase):
    """Seeds the datastores ``postgresql`` (the default), ``tiny`` and ``hosts``, and flavors ``small`` (512 MiB),
    ``medium`` (1024) and ``5`` (512)."""

    def setUp(self) -> None:
        super().setUp()
        self.version = self.seed()
        self.tiny = self.seed(datastore="tiny", name="1", manager="tiny", default=True)
        self.seed(datastore="hosts", name="1", manager="hosts", default=True)
        self.seed_flavor()
        self.seed_flavor(id="medium", name="medium", ram_mib=1024)
        self.seed_flavor(id="5", name="five")
        self.conf.set_override("default_datastore", "postgresql")
        self.admin = self.make_app(self.new_conf(auth_strategy="noauth", noauth_admin=True))
        self.cloud = FakeProvider()
        self.guests = Guests(self.db, self.store)
        self.env = Environment(
            conf=self.conf, db=self.db, providers=Providers.only(self.cloud), plugins=self.plugins(),
            conductor=self.hints, gateway_url="https://gateway.invalid", objects=self.objects,
        )  # fmt: skip
        self.registry = flows.register_all(Registry())
        self.worker = Worker(
            self.db, self.store, self.registry, self.env, owner="test", threads=1,
            backoff=Backoff(first=0.02, cap=0.02),
        )  # fmt: skip

    def make_objects(self) -> ObjectStore | None:
        """Return a store in a directory of this test."""
        return FilesystemStore(self.tempdir() / "objects")

    def plugins(self) -> dict[str, spi.Plugin]:
        """Return the three datastores."""
        return {"postgresql": PostgreSQL(), "tiny": KeyValueEngine(), "hosts": HostsEngine()}

    def settle(self, patience: float = 0.3) -> None:
        """Let workflows and guests go on until nothing happens for ``patience`` seconds."""
        for _ in range(100):
            if not self.worker.drain(patience) + self.guests.act():
                return
        self.fail("the world does not come to rest")

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """Return a body that creates an instance; ``None`` takes a member out."""
        given = {"name": "db", "flavorRef": "small", "volume": {"size": 2}, **changes}
        return {"instance": {key: value for key, value in given.items() if value is not None}}

    def create(self, *, project: str = base.PROJECT, **changes: Any) -> dict[str, Any]:
        """Create an instance, which stays in BUILD, and return its document."""
        shown = self.call("POST", "/instances", self.wanted(**changes), status=200, project=project)
        return dict(shown.json["instance"])

    def active(self, *, project: str = base.PROJECT, **changes: Any) -> str:
        """Create an instance, wait until it is ACTIVE and HEALTHY, and return its id."""
        instance_id = str(self.create(project=project, **changes)["id"])
        self.settle()
        shown = self.show(instance_id, project=project)
        self.assertEqual(("ACTIVE", "HEALTHY"), (shown["status"], shown["operating_status"]))
        return instance_id

    def show(self, instance_id: str, **options: Any) -> dict[str, Any]:
        """Return an instance as the API shows it."""
        return dict(self.call("GET", f"/instances/{instance_id}", status=200, **options).json["instance"])

    def status(self, instance_id: str) -> tuple[str, str]:
        """Return status and operating status."""
        shown = self.show(instance_id)
        return shown["status"], shown["operating_status"]

    def action(self, instance_id: str, body: Any, status: int = 202, **options: Any) -> Any:
        """Run an action."""
        return self.call("POST", f"/instances/{instance_id}/action", body, status=status, **options)

    def usages(self, project: str = base.PROJECT) -> tuple[int, int, int]:
        """Return how many instances, MiB of memory and GiB of volumes count as in use."""
        with self.db.reader() as session:
            found = quota.usages(session, project)
        return found["instances"], found["ram"], found["volumes"]

    def workflows(self, instance_id: str) -> list[Row]:
        """Return the workflows of an instance, oldest first."""
        with self.db.reader() as session:
            return list(reversed(self.store.list_workflows(session, resource_id=instance_id)))

    def rows(self, model: Any) -> list[Row]:
        """Return all rows of a table."""
        with self.db.reader() as session:
            return [dict(row) for row in session.execute(sa.select(model.__table__)).mappings()]

    def everything(self) -> dict[str, list[str]]:
        """Return all rows of all tables, to be compared."""
        with self.db.reader() as session:
            return {
                table.name: sorted(str(tuple(row)) for row in session.execute(sa.select(table)))
                for table in models.Base.metadata.sorted_tables
            }

    def refused(self, method: str, path: str, body: Any = None, *, status: int, **options: Any) -> str:
        """Send a request that must be refused and change nothing; return the message."""
        before, hints = self.everything(), (list(self.hints.woken), list(self.hints.delivered))
        response = self.call(method, path, body, status=status, **options)
        self.assertEqual(before, self.everything())
        self.assertEqual(hints, (self.hints.woken, self.hints.delivered))
        return str(self.fault(response)["message"])
