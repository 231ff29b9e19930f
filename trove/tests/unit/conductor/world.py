# SPDX-License-Identifier: Apache-2.0
"""A database with instances, a real workflow store and an intake and outbox on it: what the tests of the guest bus
start from."""

import pathlib
import tempfile
from typing import Any

import fixtures
import sqlalchemy as sa

import trove.conf
from trove.common import ids
from trove.conductor.budgets import Budgets
from trove.conductor.heartbeats import HeartbeatBatcher
from trove.conductor.intake import Intake
from trove.conductor.outbox import Outbox
from trove.conductor.reports import Reports
from trove.db import models
from trove.db.api import Database
from trove.domain import operations
from trove.guestbus.key_store import FileKeyStore
from trove.guestbus.session import GuestSession
from trove.objects import catalog, guest_command
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.tests.fixtures.databases import DatabaseFixture
from trove.wire import base, bootstrap, command, report
from trove.workflow.store import Store

RESEND = 10.0
SILENCE = 90.0


class World(fixtures.Fixture):
    """Attributes: ``db``, ``store``, ``batcher``, ``budgets``, ``intake``, ``outbox``, and ``woken``, the ids of
    workflows that were hinted."""

    def __init__(self, dialect: str = "sqlite") -> None:
        super().__init__()
        self._dialect = dialect

    def _setUp(self) -> None:
        self.db = self.useFixture(DatabaseFixture(self._dialect)).db
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir(tempfile.gettempdir())).path)
        self.store = Store(self.db)
        self.woken: list[str] = []
        self.batcher = HeartbeatBatcher(self.db)
        self.budgets = Budgets(trove.conf.new(files=[]))
        self.intake = self.make_intake()
        self.outbox = Outbox(
            self.db, self.store, resend_interval=RESEND, wake=self.woken.append, silence=SILENCE
        )  # fmt: skip
        with self.db.writer() as session:
            version = catalog.register_version(session, datastore="postgresql", name="17", manager="postgresql")
        self._version_id = version.id

    def make_intake(self, batcher: HeartbeatBatcher | None = None, db: Database | None = None) -> Intake:
        """Return an intake as another conductor would have it, with its own memory."""
        reports = Reports(db or self.db, self.store)
        return Intake(
            db or self.db, reports, batcher=batcher or self.batcher, budgets=self.budgets, wake=self.woken.append
        )

    def db_path(self) -> pathlib.Path:
        """Return the file of an SQLite database."""
        return pathlib.Path(str(self.db.url.database))

    def instance(self) -> str:
        """Make an instance and return its id."""
        with self.db.writer() as session:
            instance = Instance(
                id=ids.new_id(), project_id="p", name="i", datastore_version_id=self._version_id, flavor_id="1",
                vcpus=1, ram_mib=512, disk_gib=0, volume_gib=1,
            )  # fmt: skip
            instance.create(session)
        return str(instance.id)

    def guest(
        self, instance_id: str | None = None, *, transport: str = "gateway", endpoint: str = "http://127.0.0.1:1"
    ) -> "Guest":
        """Issue an identity for an instance (a new one unless given) and return its guest."""
        instance_id = instance_id or self.instance()
        with self.db.writer() as session:
            key = GuestIdentity.issue(session, instance_id, transport)
        document = bootstrap.Bootstrap(
            instance_id=instance_id, datastore_manager="postgresql", datastore_version="17", transport=transport,
            endpoint=endpoint, one_time_key=key, data_dir="data", state_dir="state",
        )  # fmt: skip
        return Guest(document, self.directory / f"{instance_id}.{ids.new_id()}")

    def enrolled(self, **options: Any) -> "Guest":
        """Return a guest that has enrolled and said hello."""
        guest = self.guest(**options)
        guest.hear(self.intake.receive(guest.session.seal_enrol("1", "1")))
        guest.hear(self.intake.receive(guest.session.seal_report(hello())))
        return guest

    def identity(self, instance_id: str) -> GuestIdentity:
        """Return what the control plane keeps of a guest."""
        with self.db.reader() as session:
            return GuestIdentity.get(session, instance_id, for_update=False)

    def submit(
        self,
        instance_id: str,
        message: command.Command,
        *,
        deadline: float = 600,
        workflow_id: str | None = None,
        term: int | None = None,
    ) -> str:
        """Commit a command and return its id.

        :param term: of the set that the instance is alone in; ``None``: it depends on no role.
        """
        with self.db.writer() as session:
            return guest_command.submit(
                session, instance_id=instance_id, command=message, deadline_seconds=deadline, now=self.db.now(session),
                workflow_id=workflow_id, set_id=None if term is None else instance_id, term=term,
            )  # fmt: skip

    def command(self, command_id: str) -> guest_command.GuestCommand:
        """Return a command's row."""
        with self.db.reader() as session:
            return guest_command.get(session, command_id)

    def workflow(self, instance_id: str, *, claim: bool = False) -> str:
        """Submit a workflow on an instance; with ``claim`` one that owns it."""
        kind = operations.INSTANCE_CREATE if claim else operations.DATABASE_CREATE
        inputs = {} if claim else {"command_id": ids.new_id()}
        with self.db.writer() as session:
            return self.store.submit(
                session, kind=kind, resource_type="instance", resource_id=instance_id, project_id="p", request_id=None,
                inputs=inputs, claim=operations.instance_claim(instance_id) if claim else None,
            )  # fmt: skip

    def signals(self, workflow_id: str) -> dict[str, Any]:
        """Return what a workflow has been told, ``{name: payload}``."""
        table = models.WorkflowSignal.__table__
        with self.db.reader() as session:
            rows = session.execute(sa.select(table).where(table.c.workflow_id == workflow_id)).mappings().all()
        return {row["name"]: row["payload"] for row in rows}

    def make_due(self, command_id: str) -> None:
        """Let the time pass after which a command is sent again."""
        table = models.GuestCommand.__table__
        with self.db.writer() as session:
            now = self.db.now(session)
            session.execute(sa.update(table).where(table.c.id == command_id).values(send_at=now))


class Guest:
    """A guest: its session and what it has heard. :meth:`restart` is a new process with the same files."""

    def __init__(self, document: bootstrap.Bootstrap, path: pathlib.Path) -> None:
        self.document = document
        self.id = document.instance_id
        self._path = path
        self.session = GuestSession(document, FileKeyStore(path))

    def restart(self) -> None:
        """Forget everything that is not on disk."""
        self.session = GuestSession(self.document, FileKeyStore(self._path))

    def hear(self, envelopes: list[bytes]) -> list[base.Message]:
        """Open envelopes in order."""
        return [self.session.open_from_control(item) for item in envelopes]


def hello(**changes: Any) -> report.Hello:
    """Return a hello of an agent that knows every command."""
    fields: dict[str, Any] = {
        "report_id": ids.new_id(), "agent_version": "1.0", "handler_version": "2.0", "protocol_min": base.PROTOCOL_MIN,
        "protocol_max": base.PROTOCOL_MAX, "commands": {name: [version] for name, version in command.COMMANDS},
    }  # fmt: skip
    return report.Hello(**{**fields, **changes})


def heartbeat(**changes: Any) -> report.Heartbeat:
    """Return a heartbeat of a healthy guest."""
    fields = {"report_id": ids.new_id(), "service_status": "healthy", "agent_version": "1.0", "handler_version": "2.0"}
    return report.Heartbeat(**{**fields, **changes})


def poll(wait: float = 0.0) -> report.Poll:
    """Return a poll."""
    return report.Poll(report_id=ids.new_id(), wait=wait)


def result(command_id: str, state: str = "DONE", **fields: Any) -> report.CommandResult:
    """Return a report on a command."""
    return report.CommandResult(report_id=ids.new_id(), command_id=command_id, state=state, **fields)
