# SPDX-License-Identifier: Apache-2.0
"""All tables; importing this package makes :data:`Base.metadata` complete."""

from trove.db.models.base import Base
from trove.db.models.catalog import Datastore, DatastoreVersion, Flavor, VersionAssociation, VolumeType
from trove.db.models.configuration import Configuration, ConfigurationHistory, ParameterRule
from trove.db.models.guest import GuestCommand, GuestIdentity, Heartbeat, InventoryDatabase, InventoryUser
from trove.db.models.guest_log import GuestLog, PublishedLog
from trove.db.models.instance import Instance, InstanceFault, InstanceSet, RootHistory, ServerGroup
from trove.db.models.module import InstanceModule, Module
from trove.db.models.notification import Notification, PeriodicMark
from trove.db.models.quota import QuotaLimit, QuotaUsage
from trove.db.models.reconciliation import ProviderFinding, Reconciliation
from trove.db.models.secret import Secret
from trove.db.models.service import Service
from trove.db.models.workflow import Workflow, WorkflowClaim, WorkflowSignal, WorkflowStep

__all__ = [
    "Base",
    "Configuration",
    "ConfigurationHistory",
    "Datastore",
    "DatastoreVersion",
    "Flavor",
    "GuestCommand",
    "GuestIdentity",
    "GuestLog",
    "Heartbeat",
    "Instance",
    "InstanceFault",
    "InstanceModule",
    "InstanceSet",
    "InventoryDatabase",
    "InventoryUser",
    "Module",
    "Notification",
    "ParameterRule",
    "PeriodicMark",
    "ProviderFinding",
    "PublishedLog",
    "QuotaLimit",
    "QuotaUsage",
    "Reconciliation",
    "RootHistory",
    "Secret",
    "ServerGroup",
    "Service",
    "VersionAssociation",
    "VolumeType",
    "Workflow",
    "WorkflowClaim",
    "WorkflowSignal",
    "WorkflowStep",
]
