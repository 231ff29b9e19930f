# SPDX-License-Identifier: Apache-2.0
"""What handlers work with; made once per process and handed on, so that tests can hand on something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trove.providers.registry import Described

if TYPE_CHECKING:
    from oslo_config import cfg

    from trove.api.authz import Enforcer
    from trove.datastores.spi import Plugin
    from trove.db.api import Database
    from trove.objectstore.base import ObjectStore
    from trove.rpc.conductor import ConductorClient
    from trove.rpc.taskmanager import TaskManagerClient
    from trove.workflow.store import Store


@dataclass(frozen=True)
class Services:
    """The parts of one API process.

    :ivar plugins: datastore plugins by manager name.
    :ivar taskmanager: casts ``wake(workflow_id)`` after a commit; a lost cast costs a poll interval, nothing else.
    :ivar conductor: casts ``deliver(instance_id)`` after a commit, likewise.
    :ivar providers: what the providers of instances can do, as far as that is known beforehand.
    :ivar objects: where published logs are kept; ``None``: nowhere.
    """

    conf: cfg.ConfigOpts
    db: Database
    store: Store
    plugins: Mapping[str, Plugin]
    taskmanager: TaskManagerClient
    conductor: ConductorClient
    enforcer: Enforcer
    providers: Described = field(default_factory=Described)
    objects: ObjectStore | None = None


def make_services(
    conf: cfg.ConfigOpts,
    db: Database,
    plugins: Mapping[str, Plugin],
    *,
    taskmanager: TaskManagerClient,
    conductor: ConductorClient,
    providers: Described,
) -> Services:
    """Put the parts of an API process together.

    :raises StoreRefused: when the options of the object store contradict each other.
    """
    from trove.api.authz import make_enforcer
    from trove.objectstore.registry import open_store
    from trove.workflow.store import Store

    return Services(
        conf=conf,
        db=db,
        store=Store(db),
        plugins=plugins,
        taskmanager=taskmanager,
        conductor=conductor,
        enforcer=make_enforcer(conf),
        providers=providers,
        objects=open_store(conf),
    )
