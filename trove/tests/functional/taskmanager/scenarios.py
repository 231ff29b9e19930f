# SPDX-License-Identifier: Apache-2.0
"""How to try each registered flow: an instance in a fake cloud, its scripted guest, and all that is left at the end."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import trove.conf
from trove.common import clock, ids
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.db import models, sealed
from trove.db.api import Database
from trove.domain import guest_logs, operations, quota
from trove.domain.operations import Kind
from trove.domain.shape import Shape
from trove.objects import (
    catalog,
    configuration,
    guest_command,
    guest_identity,
    guest_log,
    heartbeat,
    instance_module,
    secret,
)
from trove.objects import quota as quotas
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.objectstore.filesystem import FilesystemStore
from trove.operations import modules as module_operations
from trove.providers import base as providers
from trove.providers.fake import FakeProvider
from trove.providers.registry import Providers
from trove.taskmanager import flows
from trove.taskmanager.environment import Environment
from trove.tests.fixtures.rows import make_module
from trove.tests.functional.taskmanager.guests import ScriptedGuest
from trove.wire import command, report
from trove.workflow.model import Flow, State
from trove.workflow.registry import Registry
from trove.workflow.store import Store

REGISTRY = flows.register_all(Registry())
_LIMITS = dict.fromkeys(quota.RESOURCES, -1)
_OLD = {"flavor_id": "2", "vcpus": 1, "ram_mib": 1024, "disk_gib": 5}
_LARGER = {"flavor_id": "3", "vcpus": 2, "ram_mib": 2048, "disk_gib": 5}
_SMALLER = {"flavor_id": "1", "vcpus": 1, "ram_mib": 512, "disk_gib": 5}
_PORT = 5432
_VOLUME_GIB = 2
_USERS = [{"name": "u", "password": "hunter2", "host": "%", "databases": ["d"]}]


class Hints:
    """Stands for the control bus: hints that go nowhere, so everything must be found by looking."""

    def deliver(self, instance_id: str) -> None:
        """Lose the hint."""


@dataclass
class Trial:
    """How to submit one kind of workflow.

    :ivar event: moves the instance, as the API does in the same transaction.
    :ivar edit: the guest command that the API submits with the workflow.
    :ivar module: the instance has a module, which the workflow is about.
    :ivar values: of a configuration group that the API attaches with the workflow; without a status to come from in
        the inputs, the group was attached before and changes.
    """

    kind: Kind
    event: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    edit: command.Command | None = None
    values: Mapping[str, Any] | None = None
    module: bool = False


#: What these begin has workflows of its own.
_FOR_OTHERS = (operations.CONFIGURATION_PUSH, operations.MODULE_REAPPLY, operations.MODULE_WITHDRAW)
_KEY = command.UserKey(name="u")
TRIALS = {
    "create": Trial(operations.INSTANCE_CREATE, None, {"databases": [{"name": "d"}]}, module=True),
    "delete": Trial(operations.INSTANCE_DELETE, "delete", module=True),
    "restart": Trial(operations.INSTANCE_RESTART, "restart"),
    "reboot": Trial(operations.INSTANCE_REBOOT, "restart"),
    "migrate": Trial(operations.INSTANCE_MIGRATE, "update", {"host": "host-2", "restart_required": False}),
    "update-access": Trial(
        operations.INSTANCE_UPDATE_ACCESS,
        "update",
        {"old": {}, "new": {"is_public": True, "allowed_cidrs": ["192.0.2.0/24"]}, "restart_required": False},
    ),
    "resize-larger": Trial(operations.INSTANCE_RESIZE_FLAVOR, "resize", {"old": _OLD, "new": _LARGER}),
    "resize-smaller": Trial(operations.INSTANCE_RESIZE_FLAVOR, "resize", {"old": _OLD, "new": _SMALLER}),
    "resize-volume": Trial(operations.INSTANCE_RESIZE_VOLUME, "resize", {"size_gib": 5, "old_size_gib": _VOLUME_GIB}),
    "configure": Trial(
        operations.INSTANCE_CONFIGURE,
        "update",
        {"was": "ACTIVE", "previous": None, "previous_revision": None},
        values={"work_mem": 64},
    ),
    "configure-later": Trial(operations.INSTANCE_CONFIGURE, values={"max_connections": 50}),
    "configuration-push": Trial(operations.CONFIGURATION_PUSH, values={"work_mem": 64}),
    "database-create": Trial(
        operations.DATABASE_CREATE, edit=command.CreateDatabases(databases=[command.DatabaseSpec(name="e")])
    ),
    "database-delete": Trial(operations.DATABASE_DELETE, edit=command.DropDatabase(database="d")),
    "user-create": Trial(
        operations.USER_CREATE, edit=command.CreateUsers(users=[command.UserSpec(name="v", password="hunter2")])
    ),
    "user-update": Trial(operations.USER_UPDATE, edit=command.AlterUser(user=_KEY, new_password="hunter3")),
    "user-delete": Trial(operations.USER_DELETE, edit=command.DropUser(user=_KEY)),
    "user-grant": Trial(operations.USER_GRANT, edit=command.GrantAccess(user=_KEY, databases=["d"])),
    "user-revoke": Trial(operations.USER_REVOKE, edit=command.RevokeAccess(user=_KEY, database="d")),
    "root-enable": Trial(operations.ROOT_ENABLE, None, {"user_id": "me"}, command.EnableRoot(password="hunter2")),
    "root-disable": Trial(operations.ROOT_DISABLE, None, {"user_id": "me"}, command.DisableRoot()),
    "log-change": Trial(
        operations.LOG_CHANGE,
        None,
        {"log": "general", "enabled": False, "discard": True, "publish": False, "manager": "postgresql"},
    ),
    "log-publish": Trial(
        operations.LOG_PUBLISH,
        None,
        {"log": "general", "enabled": True, "discard": False, "publish": True, "manager": "postgresql",
         "ticket_id": "5d7f0c1e-1111-4222-8333-444455556666"},
    ),
    "module-apply": Trial(operations.MODULE_APPLY, module=True),
    "module-remove": Trial(operations.MODULE_REMOVE, module=True),
    "module-reapply": Trial(
        operations.MODULE_REAPPLY,
        None,
        {"project_id": None, "md5": None, "force": True, "batch_size": 50, "batch_delay": 2},
        module=True,
    ),
    "module-withdraw": Trial(operations.MODULE_WITHDRAW, module=True),
    "datastore-stop": Trial(operations.DATASTORE_STOP, edit=command.StopEngine()),
}


class InstanceCase:
    """One instance with one workflow on it. ``script`` prepares the faults of its cloud."""

    def __init__(self, db: Database, store: Store, trial: Trial, script: Callable[[FakeProvider], None]) -> None:
        self.db = db
        self.store = store
        self.id = ids.new_id()
        self.project = self.id
        #: What has workflows: the instance, and its configuration group when it has one.
        self.resources = [self.id]
        self._trial = trial
        self.provider = FakeProvider()
        self.guest = ScriptedGuest(db, store, self.provider, self.id)
        conf = trove.conf.new(files=[])
        self.env = Environment(
            conf=conf,
            db=db,
            providers=Providers.only(self.provider),
            plugins={"postgresql": PostgreSQL()},
            conductor=Hints(),
            gateway_url="http://127.0.0.1:1",
            objects=FilesystemStore(pathlib.Path(tempfile.mkdtemp())),
        )
        with db.writer() as session:
            self._make_instance(session)
            if trial.kind is not operations.INSTANCE_CREATE:
                self._make_alive(session)
            self.workflow_id = self.submit(session, trial)
        for method in (
            "ensure_volume",
            "ensure_server",
            "resize_server",
            "restart_server",
            "migrate_server",
            "remove_server",
        ):
            self.provider.delay_until(method, 1, always=True)
        script(self.provider)

    def answer(self) -> None:
        """See :class:`trove.workflow.testing.Case`."""
        self.guest.answer()

    def instance(self, session: Session) -> Instance:
        """Return the row as it is now."""
        return Instance.get(session, Scope.ALL, self.id, include_deleted=True)

    def submit(self, session: Session, trial: Trial, *, after: str | None = None) -> str:
        """Do what the API does for a request of this kind, and return the workflow's id."""
        inputs = dict(trial.inputs)
        if trial.values is not None:
            self._attach(session, trial.values, inputs)
        change = trial.edit
        if trial.module:
            change = self._give_module(session, trial, inputs)
        if trial.event is not None:
            self.instance(session).process_event(session, trial.event)
        taken = operations.quota_taken(trial.kind.name, inputs)
        if trial.kind is operations.INSTANCE_CREATE:
            inputs["users_secret"] = secret.put(session, self.id, "users", _USERS)
            taken = quota.instance_usage(_OLD["ram_mib"], _VOLUME_GIB)
        quotas.consume(session, self.project, taken, _LIMITS)
        workflow_id = ids.new_id()
        if change is not None:
            inputs["command_id"] = guest_command.submit(
                session, instance_id=self.id, command=change, deadline_seconds=240.0, now=self.db.now(session),
                workflow_id=workflow_id,
            )  # fmt: skip
        resource_type, resource_id = "instance", self.id
        if len(self.resources) > 1 and not trial.kind.exclusive:
            resource_type, resource_id = trial.kind.name.partition(".")[0], self.resources[-1]
        return self.store.submit(
            session, kind=trial.kind, resource_type=resource_type, resource_id=resource_id, project_id=self.project,
            request_id=None, inputs=inputs, workflow_id=workflow_id, after=after,
            claim=operations.instance_claim(self.id) if trial.kind.exclusive else None,
        )  # fmt: skip

    def snapshot(self) -> Any:
        """See :class:`trove.workflow.testing.Case`. How a reverted workflow came to its end is not compared, only that
        rows, cloud and guest agree and nothing is left that should not be."""
        if self._trial.kind in _FOR_OTHERS:
            self.guest.answer()  # what it has begun has workflows of its own, which are not waited for
        with self.db.reader() as session:
            instance = self.instance(session)
            state = State(self.store.describe(session, self.workflow_id)["state"])
            left = {
                "status": instance.status,
                "deleted": instance.deleted,
                "secrets": self.count(session, models.Secret, "resource_id"),
                "fault": self.fault(session),
                "guest": self._identity(session),
                "commands with arguments": [row.name for row in self.commands(session) if self._unerased(row)],
                "kinds": {kind: len(things) for kind, things in self.provider.resources().items()},
                "disagreements": self.disagreements(session),
                "made again": self._made_again(),
            }
            if state is State.SUCCEEDED and not instance.deleted:
                left["commands"] = [(row.step, row.name, row.state) for row in self.commands(session)]
                left["done"] = list(self.guest.done)
                left["size"] = (instance.flavor_id, instance.ram_mib, instance.volume_gib)
                left["logs"] = [
                    (row.status, row.published_bytes, row.pending_bytes, row.position, row.container, row.ticket_id)
                    for row in guest_log.list_rows(session, self.id)
                ]
                left["objects"] = self.published()
                left["modules"] = [
                    (row.status, row.message) for row in instance_module.list_rows(session, Scope.ALL, self.id)
                ]
                left["root"] = self.count(session, models.RootHistory, "instance_id")
        return left

    def published(self) -> list[str]:
        """Return what is left in the object store, without the instance's id."""
        assert self.env.objects is not None
        container = str(self.env.conf.guest_log_container_name)
        found = self.env.objects.find(self.project, container, self.id)
        return [item.name.removeprefix(self.id) for item in found]

    def disagreements(self, session: Session) -> list[str]:
        """Return what quota, row, cloud and guest do not agree on."""
        instance, cloud = self.instance(session), self.provider.resources()
        volume = cloud["volume"].get(ids.instance_tag(self.id, "volume"))
        server = cloud["server"].get(ids.instance_tag(self.id, "server"))
        port = cloud["port"].get(ids.instance_tag(self.id, "port"))
        reach = self.provider.access(ids.instance_tag(self.id, "port"))
        owes = {} if instance.deleted else quota.instance_usage(instance.ram_mib, instance.volume_gib)
        shape = Shape(instance.vcpus, instance.ram_mib, instance.disk_gib)
        facts: dict[str, tuple[Any, Any]] = {
            "quota": (owes, {k: v for k, v in quotas.usages(session, self.project).items() if v}),
            "volume id": (instance.volume_id, volume and volume.id),
            "volume size": (instance.volume_gib if volume else None, volume and volume.size_gib),
            "server id": (instance.server_id, server and server.id),
            "shape": (shape if server else None, server and server.shape),
            "address": (instance.addresses, _shown(port) if port else []),
            "access": (_reach(instance), (reach.is_public, list(reach.allowed_cidrs))) if server else ((), ()),
            "port": (instance.port, port and port.port),
            "engine's memory": (instance.ram_mib if server else None, self.guest.ram_mib if server else None),
        }
        if not instance.deleted and not self._may_differ(session):
            values = configuration.values_of(session, instance.configuration_id)
            facts["configuration"] = (values, self.guest.values)
        return [f"{name}: {ours!r} is {theirs!r}" for name, (ours, theirs) in facts.items() if ours != theirs]

    def _may_differ(self, session: Session) -> bool:
        """Tell whether the engine may have other values than its group: when it could not be given new ones."""
        given_up = self.store.describe(session, self.workflow_id)["state"] != State.SUCCEEDED.value
        return given_up and self._trial.values is not None and "previous" not in self._trial.inputs

    def commands(self, session: Session) -> list[Any]:
        """Return the rows of all commands, in order."""
        table = models.GuestCommand
        return list(session.scalars(sa.select(table).where(table.instance_id == self.id).order_by(table.sequence)))

    def count(self, session: Session, model: Any, column: str) -> int:
        """Count this instance's rows of a table."""
        query = sa.select(sa.func.count()).select_from(model).where(getattr(model, column) == self.id)
        return int(session.scalar(query) or 0)

    def fault(self, session: Session) -> str | None:
        """Return the symbol of the instance's fault."""
        table = models.InstanceFault
        return session.scalar(sa.select(table.symbol).where(table.instance_id == self.id))

    def _identity(self, session: Session) -> Any:
        table = models.GuestIdentity
        query = sa.select(table.instance_id, table.state, table.keys).where(table.instance_id == self.id)
        row = session.execute(query).mappings().one_or_none()
        return row and (row["state"], sorted(sealed.reveal(table.__table__, row)["keys"]))

    @staticmethod
    def _unerased(row: Any) -> bool:
        return row.args is not None and row.state in guest_command.FINAL

    def _made_again(self) -> list[str]:
        # The fake cloud computes an id from the tag and from how often the thing was made.
        first = FakeProvider()
        return [
            tag
            for things in self.provider.resources().values()
            for tag, thing in things.items()
            if thing.id != first.ensure_port(providers.PortSpec(tag, 1)).id
        ]

    def _attach(self, session: Session, values: Mapping[str, Any], inputs: dict[str, Any]) -> None:
        instance = self.instance(session)
        group = configuration.Configuration(
            project_id=self.project, name="g", description=None, values=dict(values),
            datastore_version_id=instance.datastore_version_id,
        )  # fmt: skip
        group.create(session, None)
        if "previous" in inputs:
            inputs["configuration_id"] = group.id
        else:
            self.guest.values = dict(values)
            group.change(session, {"values": {**values, "work_mem": 65}}, None)
        if self._trial.kind is operations.CONFIGURATION_PUSH:
            inputs |= {"after": "", "revision": group.revision}
        self.resources.append(group.id)
        instance.assign({"configuration_id": group.id})
        instance.save(session)

    def _give_module(self, session: Session, trial: Trial, inputs: dict[str, Any]) -> command.Command | None:
        """Make a module that the instance has, or that is on its way to it; return the command of the request."""
        module = make_module(session, name=self.id, project_id=None, is_admin=True)
        instance_module.begin(session, self.id, [module], self.db.now(session))
        if trial.kind is operations.MODULE_REAPPLY:
            inputs |= {"module_id": module.id, "until": self.db.now(session).isoformat()}
        if trial.kind is operations.MODULE_WITHDRAW:
            inputs |= {"module_id": module.id, "type": module.type, "instances": [self.id]}
            self.resources.append(module.id)
        if trial.kind is operations.MODULE_APPLY:
            inputs["modules"] = [module.id]
            return command.ApplyModules(modules=[module_operations.spec(module)])
        if trial.kind is operations.MODULE_REMOVE:
            inputs["modules"] = [module.id]
            return command.RemoveModule(id=module.id, type=module.type)
        return None

    def _make_instance(self, session: Session) -> None:
        version = catalog.register_version(session, datastore="postgresql", name="16", manager="postgresql")
        instance = Instance(
            id=self.id, project_id=self.project, name="i", datastore_version_id=version.id, volume_gib=_VOLUME_GIB,
            **_OLD,
        )  # fmt: skip
        instance.create(session)

    def _make_alive(self, session: Session) -> None:
        """Make everything that a finished creation leaves behind."""
        quotas.consume(session, self.project, quota.instance_usage(_OLD["ram_mib"], _VOLUME_GIB), _LIMITS)
        tags = {part: ids.instance_tag(self.id, part) for part in ("port", "volume", "server")}
        shape = Shape(_OLD["vcpus"], _OLD["ram_mib"], _OLD["disk_gib"])
        port = self.provider.ensure_port(providers.PortSpec(tags["port"], _PORT))
        volume = self.provider.ensure_volume(providers.VolumeSpec(tags["volume"], _VOLUME_GIB))
        server = self.provider.ensure_server(
            providers.ServerSpec(tags["server"], "i", shape, tags["port"], tags["volume"], "postgresql")
        )
        self.guest.ram_mib = shape.ram_mib
        self.instance(session).process_event(
            session, "created", server_id=server.id, volume_id=volume.id, port=port.port,
            addresses=[{"address": port.address, "type": "private"}],
        )  # fmt: skip
        GuestIdentity.issue(session, self.id, "gateway")
        identity = GuestIdentity.get(session, self.id, for_update=True)
        identity.keys, identity.state, identity.enrolled_at = (
            {"master": "00" * 32},
            guest_identity.ENROLLED,
            clock.utcnow(),
        )
        identity.save(session)
        heartbeat.record(session, [heartbeat.HeartbeatRecord(self.id, "healthy", self.db.now(session))])
        fact = report.LogFact(name="general", type="USER", enabled=True, size=9, pending=9)
        guest_log.record(session, self.id, [fact], self.db.now(session))
        assert self.env.objects is not None
        container = str(self.env.conf.guest_log_container_name)
        for name in (
            guest_logs.object_name(guest_logs.prefix(self.id, "postgresql", "general"), "2026-01-01T00:00:00", 1),
            guest_logs.metafile(self.id, "postgresql", "general"),
        ):
            self.env.objects.put(self.project, container, name, [b"x"])


def served_by(env: Environment, provider: providers.Provider) -> Environment:
    """Return ``env`` with another provider, and only that."""
    return dataclasses.replace(env, providers=Providers.only(provider))


def _shown(port: providers.Port) -> list[dict[str, str]]:
    public = [{"address": port.public_address, "type": "public"}] if port.public_address else []
    return [{"address": port.address, "type": "private"}, *public]


def _reach(instance: Instance) -> tuple[bool, list[str]]:
    return instance.access.get("is_public", False), instance.access.get("allowed_cidrs", [])


class InstanceScenario:
    """Makes cases of one trial; see :class:`trove.workflow.testing.Scenario`.

    :ivar script: what goes wrong in the cloud of the next cases.
    """

    def __init__(self, name: str) -> None:
        self.trial = TRIALS[name]
        self.flow: Flow = REGISTRY.latest(self.trial.kind.name)
        self.script: Callable[[FakeProvider], None] = lambda _provider: None

    def begin(self, db: Database, store: Store) -> InstanceCase:
        return InstanceCase(db, store, self.trial, self.script)
