# SPDX-License-Identifier: Apache-2.0
"""A taskmanager: one worker, the server of its one hint, and what is to be done at intervals."""

import os
import secrets

from trove.common import service
from trove.providers import base
from trove.rpc import taskmanager as rpc
from trove.rpc import transport
from trove.taskmanager import flows, notifications, reconciler, retention
from trove.taskmanager.environment import Environment
from trove.workflow.registry import Registry
from trove.workflow.store import Store
from trove.workflow.worker import Worker

#: Seconds between two looks after agents that a provider supervises itself.
SUPERVISE_INTERVAL = 2.0


def owner_name(host: str) -> str:
    """Return a lease owner that no other process, and no later process with the same pid, has."""
    return f"{host[:80]}:{os.getpid()}:{secrets.token_hex(4)}"


class TaskManager(service.Group):
    """Runs workflows from the database of ``env``.

    :param bus: the control bus on which hints arrive.
    :param owner: name in the leases. Only who can be sure that no other process lives under it gives one: what a killed
        process of that name held is then taken up at once instead of when its leases run out.
    """

    def __init__(self, env: Environment, bus: transport.Transport, *, owner: str | None = None) -> None:
        settings = env.conf.workflow
        self.owner = owner or owner_name(env.conf.host)
        self.worker = Worker(
            env.db,
            Store(env.db),
            flows.register_all(Registry()),
            env,
            owner=self.owner,
            threads=settings.threads,
            lease_ttl=settings.lease_ttl,
            poll_interval=settings.poll_interval,
        )
        parts: list[service.Part] = [self.worker, rpc.server(env.conf, bus, self.worker, self.owner)]
        for name, provider in env.providers.served.items():
            if isinstance(provider, base.Supervised):
                parts.append(service.Periodic(f"supervise-{name}", SUPERVISE_INTERVAL, provider.supervise))
        parts += notifications.parts(env.conf, env.db, self.owner)
        parts += retention.parts(env.conf, env.db)
        parts += reconciler.parts(env, self.owner)
        super().__init__(parts)
