# SPDX-License-Identifier: Apache-2.0
"""Guests played by the test: they say hello, answer commands as an engine would, and report what is in it.

What they say goes through the conductor's own handlers of reports, so rows and signals are the real ones; only the
envelopes are left out.
"""

import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from trove.common import ids
from trove.conductor.reports import Reports
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.db import models
from trove.db.api import Database
from trove.domain import instance_states
from trove.objects import guest_command, guest_identity, heartbeat, inventory, root_history
from trove.objects.guest_identity import GuestIdentity
from trove.wire import base, command, report
from trove.workflow.store import Store

GIB = 2**30


@dataclass
class Engine:
    """What a played guest's database holds."""

    databases: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    users: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    passwords: dict[tuple[str, str], str] = field(default_factory=dict)
    root_password: str | None = None
    #: Values of the configuration group: as they are written, and as the engine runs with them.
    written: dict[str, Any] = field(default_factory=dict)
    running: dict[str, Any] = field(default_factory=dict)


class Guests:
    """All guests of one database. :attr:`failures` scripts refusals: ``{command name: (symbol, message)}``, each for
    one time; while :attr:`silent` is set nobody answers."""

    def __init__(self, db: Database, store: Store) -> None:
        self._db = db
        self._reports = Reports(db, store)
        self.engines: dict[str, Engine] = {}
        self.failures: dict[str, tuple[str, str]] = {}
        self.silent = False
        #: What a test has a guest do with a command, by instance and command.
        self.effects: dict[tuple[str, str], Callable[[Any], dict[str, Any] | None]] = {}
        #: Name and arguments of every command answered, in order.
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def act(self) -> int:
        """Have new guests say hello and all guests answer what waits for them; return how many did something."""
        return 0 if self.silent else self._say_hello() + self._answer()

    def beat(self, instance_id: str, status: str = instance_states.SERVICE_HEALTHY, *, age: float = 0.0) -> None:
        """Record a heartbeat, and let ``age`` seconds pass since."""
        aged = sa.update(models.Heartbeat).where(models.Heartbeat.instance_id == instance_id)
        with self._db.writer() as session:
            now = self._db.now(session)
            record = heartbeat.HeartbeatRecord(
                instance_id, status, now, agent_version="1", handler_version="1",
                volume_used_bytes=GIB // 2, volume_total_bytes=2 * GIB, wal_bytes=GIB // 4,
            )  # fmt: skip
            # A row from an earlier call may be younger or older; only the newest heartbeat is ever kept.
            session.execute(aged.values(reported_at=None))
            heartbeat.record(session, [record])
            session.execute(aged.values(reported_at=now - datetime.timedelta(seconds=age)))

    def inventory(self, instance_id: str) -> None:
        """Report what is in the engine."""
        engine = self.engines[instance_id]
        message = report.Inventory(
            report_id=ids.new_id(),
            databases=[
                report.InventoryDatabase(name=name, character_set=charset, collate=collate)
                for name, (charset, collate) in engine.databases.items()
            ],
            users=[
                report.InventoryUser(name=name, host=host, databases=granted)
                for (name, host), granted in engine.users.items()
            ],
            root_enabled=engine.root_password is not None,
        )
        with self._db.writer() as session:
            for part in inventory.compare(session, instance_id, message.databases, message.users, limit=1000):
                inventory.apply(session, instance_id, part)
            root_history.set_enabled(session, instance_id, message.root_enabled, None)

    def report(self, instance_id: str, message: report.Logs) -> None:
        """Report the logs."""
        with self._db.writer() as session:
            identity = GuestIdentity.get(session, instance_id, for_update=True)
            self._reports.logs(session, identity, message)

    def say_hello(self, instance_id: str, commands: dict[str, list[int]]) -> None:
        """Have another agent take an instance over, which knows these commands."""
        with self._db.writer() as session:
            identity = GuestIdentity.get(session, instance_id, for_update=True)
            self._reports.hello(session, identity, msgspec.structs.replace(_hello(), commands=commands))
            identity.save(session)

    def _say_hello(self) -> int:
        table = GuestIdentity.table()
        with self._db.writer() as session:
            new = session.scalars(sa.select(table.c.instance_id).where(table.c.state == guest_identity.ISSUED)).all()
            for instance_id in new:
                identity = GuestIdentity.get(session, instance_id, for_update=True)
                identity.state, identity.keys = guest_identity.EXCHANGING, {"master": "00" * 32}
                self._reports.hello(session, identity, _hello())
                identity.save(session)
                self.engines[instance_id] = Engine()
        return len(new)

    def _answer(self) -> int:
        with self._db.writer() as session:
            now = self._db.now(session)
            asked = [
                found
                for instance_id in guest_command.due_instances(session, now, 100)
                for found in guest_command.pending(session, instance_id, now, 100)
            ]
        for item in asked:
            self._run(item)
        return len(asked)

    def _run(self, item: guest_command.GuestCommand) -> None:
        self.seen.append((item.name, item.args or {}))
        failure = self.failures.pop(item.name, None)
        answer: dict[str, Any] = {"state": "DONE"}
        if failure is not None:
            answer = {"state": "FAILED", "error_symbol": failure[0], "error_message": failure[1], "log_tail": "log"}
        else:
            made: Any = msgspec.convert(item.args, command.COMMANDS[item.name, item.version])
            effect = self.effects.get((item.instance_id, item.name))
            if effect is not None:
                answer["result"] = effect(made)
            else:
                default = _EFFECTS.get(item.name, lambda engine, made: None)
                answer["result"] = default(self.engines[item.instance_id], made)
        message = report.CommandResult(report_id=ids.new_id(), command_id=item.id, **answer)
        with self._db.writer() as session:
            identity = GuestIdentity.get(session, item.instance_id, for_update=True)
            self._reports.command_result(session, identity, message)
        status = instance_states.SERVICE_SHUTDOWN if item.name == "stop" else instance_states.SERVICE_HEALTHY
        self.beat(item.instance_id, status)
        self.inventory(item.instance_id)


def _hello() -> report.Hello:
    return report.Hello(
        report_id=ids.new_id(), agent_version="1", handler_version="1", protocol_min=base.PROTOCOL_MIN,
        protocol_max=base.PROTOCOL_MAX, commands={name: [version] for name, version in command.COMMANDS},
    )  # fmt: skip


def _create_databases(engine: Engine, made: command.CreateDatabases) -> None:
    engine.databases |= {item.name: (item.character_set, item.collate) for item in made.databases}


def _drop_database(engine: Engine, made: command.DropDatabase) -> None:
    del engine.databases[made.database]
    for granted in engine.users.values():
        granted[:] = [name for name in granted if name != made.database]


def _create_users(engine: Engine, made: command.CreateUsers) -> None:
    for item in made.users:
        engine.users[item.name, item.host] = list(item.databases)
        engine.passwords[item.name, item.host] = item.password


def _alter_user(engine: Engine, made: command.AlterUser) -> None:
    old = (made.user.name, made.user.host)
    new = (made.new_name or old[0], made.new_host or old[1])
    engine.users[new] = engine.users.pop(old)
    password = engine.passwords.pop(old)
    engine.passwords[new] = made.new_password or password


def _drop_user(engine: Engine, made: command.DropUser) -> None:
    del engine.users[made.user.name, made.user.host]


def _grant(engine: Engine, made: command.GrantAccess) -> None:
    granted = engine.users[made.user.name, made.user.host]
    granted += [name for name in made.databases if name not in granted]


def _revoke(engine: Engine, made: command.RevokeAccess) -> None:
    engine.users[made.user.name, made.user.host].remove(made.database)


def _enable_root(engine: Engine, made: command.EnableRoot) -> None:
    engine.root_password = made.password


def _disable_root(engine: Engine, made: command.DisableRoot) -> None:
    engine.root_password = None


def _prepare(engine: Engine, made: command.Prepare) -> None:
    engine.written = dict(made.configuration)
    _restart(engine, made)


def _configure(engine: Engine, made: command.Configure) -> dict[str, Any]:
    engine.written = dict(made.values)
    names = sorted(engine.written.keys() | engine.running.keys())
    changed = [name for name in names if engine.written.get(name) != engine.running.get(name)]
    waiting = [name for name in changed if _PARAMETERS[name].restart]
    engine.running = {name: value for name, value in engine.written.items() if name not in waiting} | {
        name: engine.running[name] for name in waiting if name in engine.running
    }
    return {"restart_required": waiting}


def _restart(engine: Engine, _made: command.Command) -> None:
    engine.running = dict(engine.written)


def _apply_modules(_engine: Engine, made: command.ApplyModules) -> dict[str, Any]:
    def said(item: command.ModuleSpec) -> dict[str, str]:
        md5 = hashlib.md5(item.contents.encode()).hexdigest()
        return {"id": item.id, "status": "OK", "message": item.contents.partition("=")[2].strip(), "md5": md5}

    return {"modules": [said(item) for item in made.modules]}


_PARAMETERS = PostgreSQL().parameters("all")

_EFFECTS: dict[str, Callable[[Engine, Any], dict[str, Any] | None]] = {
    "create_databases": _create_databases,
    "drop_database": _drop_database,
    "create_users": _create_users,
    "alter_user": _alter_user,
    "drop_user": _drop_user,
    "grant_access": _grant,
    "revoke_access": _revoke,
    "enable_root": _enable_root,
    "disable_root": _disable_root,
    "prepare": _prepare,
    "configure": _configure,
    "restart": _restart,
    "reconfigure": _restart,
    "apply_modules": _apply_modules,
}
