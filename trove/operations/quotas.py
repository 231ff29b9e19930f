# SPDX-License-Identifier: Apache-2.0
"""What operations take out of a project's quota, and when it comes back.

An instance takes its own when its creation is accepted, and gives it back when it is gone. A resize takes what a larger
instance needs when it is accepted; that comes back when nothing has come of it. What a smaller instance no longer needs
comes back when it is smaller.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trove.conf.quota import default_limits
from trove.domain import operations, quota
from trove.objects import catalog
from trove.objects import quota as quotas
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations.accepted import Accepted
from trove.operations.work import Work


def take_for_instance(
    work: Work, project_id: str, version: catalog.DatastoreVersion, *, ram_mib: int, volume_gib: int
) -> None:
    """Take what a new instance of ``project_id`` uses.

    :raises QuotaExceeded: when it does not fit; the caller lets that leave its transaction.
    """
    usage = quota.instance_usage(ram_mib, volume_gib, version.datastore_id)
    shown = {quota.of_datastore(version.datastore_id): quota.of_datastore(version.datastore_name)}
    quotas.consume(work.session, project_id, usage, default_limits(work.conf), shown)


def free_instance(session: Session, instance: Instance) -> None:
    """Give back what an instance uses that is gone."""
    version = catalog.DatastoreVersion.get(session, instance.datastore_version_id)
    usage = quota.instance_usage(instance.ram_mib, instance.volume_gib, version.datastore_id)
    quotas.release(session, instance.project_id, usage)


def take(work: Work, kind: operations.Kind, project_id: str, inputs: Mapping[str, Any]) -> None:
    """Take what a request of ``kind`` needs beyond what its instance uses already.

    :raises QuotaExceeded: when it does not fit; the caller lets that leave its transaction.
    """
    needed = operations.quota_taken(kind.name, inputs)
    if needed:
        quotas.consume(work.session, project_id, needed, default_limits(work.conf))


def give_back(session: Session, accepted: Accepted) -> None:
    """Give back what :func:`take` took, because nothing has come of it."""
    taken = operations.quota_taken(accepted.kind, accepted.inputs)
    if not taken:
        return
    instance = Instance.get(session, Scope.ALL, accepted.resource_id, include_deleted=True)
    # A volume that could not be called grown may have grown all the same; then the instance uses it.
    grown = accepted.kind == operations.INSTANCE_RESIZE_VOLUME.name
    if not (grown and instance.volume_gib >= accepted.inputs["size_gib"]):
        quotas.release(session, instance.project_id, taken)


def free(session: Session, accepted: Accepted) -> None:
    """Give back what a smaller instance no longer needs, now that it is smaller."""
    freed = operations.quota_freed(accepted.kind, accepted.inputs)
    if freed:
        instance = Instance.get(session, Scope.ALL, accepted.resource_id, include_deleted=True)
        quotas.release(session, instance.project_id, freed)
