# SPDX-License-Identifier: Apache-2.0
"""A real control-plane end of the guest bus: database, intake, outbox and a gateway on a free loopback port."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import fixtures
import sqlalchemy as sa

import trove.conf
from trove.common import clock
from trove.conductor.gateway import Gateway
from trove.db import models
from trove.objects import inventory
from trove.objects.guest_command import GuestCommand
from trove.tests.fixtures import server_process
from trove.tests.unit.conductor.world import World
from trove.wire import command


class ControlPlane(fixtures.Fixture):
    """Attributes: ``world``, ``gateway``; a gateway that is started again keeps its port.

    :param tls: files of certificate and key; plain HTTP without.
    """

    def __init__(self, tls: tuple[str, str] | None = None) -> None:
        super().__init__()
        self._tls = tls

    def _setUp(self) -> None:
        self.world = self.useFixture(World())
        self.world.batcher.start()
        self.addCleanup(self.world.batcher.stop)
        self.port = server_process.free_port()
        self.start_gateway()
        self.addCleanup(self.stop_gateway)

    def start_gateway(self) -> None:
        """Start serving."""
        conf = trove.conf.new(files=[])
        conf.set_override("gateway_bind_port", self.port, "guest_bus")
        conf.set_override("gateway_max_wait", 2.0, "guest_bus")
        if self._tls is not None:
            for name, value in zip(("gateway_cert_file", "gateway_key_file"), self._tls, strict=True):
                conf.set_override(name, value, "guest_bus")
        self.gateway = Gateway(conf, self.world.intake, self.world.outbox)
        self.gateway.start()
        self.port = self.gateway.port

    def stop_gateway(self) -> None:
        """Stop serving, as a conductor that ends."""
        self.gateway.stop()

    def submit(self, instance_id: str, order: command.Command, **options: Any) -> str:
        """Commit a command, give the hint, return its id; ``options`` as :meth:`World.submit` has them."""
        command_id = self.world.submit(instance_id, order, **options)
        self.gateway.deliver(instance_id)
        return command_id

    def finished(self, command_id: str, timeout: float = 60) -> GuestCommand:
        """Wait until a command has its final state and return it."""
        return wait_for(lambda: self._final(command_id), timeout, f"command {command_id}")

    def is_past(self, command_id: str) -> bool:
        """Tell whether a command's deadline has passed."""
        with self.world.db.reader() as session:
            return self.world.db.now(session) > self.world.command(command_id).deadline

    def _final(self, command_id: str) -> GuestCommand | None:
        row = self.world.command(command_id)
        return row if row.state in {"DONE", "FAILED", "EXPIRED"} else None

    def state(self, instance_id: str) -> str:
        """How far the enrolment is, as the control plane knows it."""
        return str(self.world.identity(instance_id).state)

    def heartbeat(self, instance_id: str) -> Mapping[str, Any] | None:
        """The last heartbeat that was written, or ``None``."""
        table = models.Heartbeat.__table__
        with self.world.db.reader() as session:
            row = session.execute(sa.select(table).where(table.c.instance_id == instance_id)).mappings().one_or_none()
        return None if row is None or row["reported_at"] is None else dict(row)

    def databases(self, instance_id: str) -> list[str]:
        """The databases as the API would show them."""
        with self.world.db.reader() as session:
            return [item.name for item in inventory.list_databases(session, instance_id, limit=100)]


def wait_for(found: Callable[[], Any], timeout: float = 60, what: str = "what was waited for") -> Any:
    """Return the first true value of ``found``.

    :raises AssertionError: when there was none within ``timeout`` seconds.
    """
    until = clock.monotonic() + timeout
    pause = threading.Event()
    while not (value := found()):
        if clock.monotonic() > until:
            raise AssertionError(f"{what} did not happen within {timeout} seconds")
        pause.wait(0.02)
    return value
