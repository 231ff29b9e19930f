# SPDX-License-Identifier: Apache-2.0
"""All tables; importing this package makes :data:`Base.metadata` complete."""

from trove.db.models.base import Base
from trove.db.models.catalog import Datastore, DatastoreVersion, Flavor
from trove.db.models.guest import GuestCommand, GuestIdentity, Heartbeat, InventoryDatabase, InventoryUser
from trove.db.models.instance import Instance, InstanceFault, RootHistory
from trove.db.models.quota import QuotaLimit, QuotaUsage
from trove.db.models.secret import Secret
from trove.db.models.workflow import Workflow, WorkflowSignal, WorkflowStep

__all__ = [
    "Base",
    "Datastore",
    "DatastoreVersion",
    "Flavor",
    "GuestCommand",
    "GuestIdentity",
    "Heartbeat",
    "Instance",
    "InstanceFault",
    "InventoryDatabase",
    "InventoryUser",
    "QuotaLimit",
    "QuotaUsage",
    "RootHistory",
    "Secret",
    "Workflow",
    "WorkflowSignal",
    "WorkflowStep",
]
