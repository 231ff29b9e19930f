# SPDX-License-Identifier: Apache-2.0
"""Quotas of a project: what it may use, and what it does."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from trove.api import microversions, transactions
from trove.api.dispatch import MAX_PROJECT_ID
from trove.api.request import ApiRequest, Reply
from trove.api.views import quotas as view
from trove.common import exception
from trove.conf.quota import default_limits
from trove.domain import quota
from trove.objects import errors
from trove.objects import quota as quotas
from trove.objects.catalog import Datastore
from trove.operations.work import Work


class ResourceUnknown(exception.NotFound):
    """No such resource has a quota."""

    symbol = "quota.unknown_resource"

    def __init__(self, names: Iterable[str], known: Iterable[str]) -> None:
        shown = ", ".join(repr(name[:255]) for name in names)
        super().__init__(f"There is no quota of {shown}; use {', '.join(known)}.")


def show(req: ApiRequest) -> Reply:
    """Show limits and use of the caller's project, or of another one for those who may."""
    project_id = req.path["quota_project_id"]
    req.authorize("mgmt:quota:show", project_id)
    with req.services.db.reader() as session:
        limits = quotas.limits(session, project_id, default_limits(req.services.conf))
        in_use = quotas.usages(session, project_id)
        rows = [(resource, in_use[resource], limit) for resource, limit in limits.items()]
        if req.version >= microversions.DETAILED:
            own = quotas.datastore_limits(session, project_id)
            names = {store.id: store.name for store in Datastore.list(session)} if own else {}
            rows += [
                (quota.of_datastore(names[store_id]), in_use.get(quota.of_datastore(store_id), 0), limit)
                for store_id, limit in sorted(own.items())
                if store_id in names
            ]
    return Reply({"quotas": [view.quota(*row) for row in rows]})


@transactions.transactional
def update(req: ApiRequest, work: Work) -> Reply:
    """Give a project limits of its own; resources that are not named, or null, keep theirs."""
    project_id = req.path["quota_project_id"]
    if len(project_id) > MAX_PROJECT_ID:
        raise exception.NotFound("No project has an id of this length.")
    asked = req.body["quotas"]
    resources = {name: _resource(req, work.session, name) for name in asked}
    unknown = [name for name, resource in resources.items() if resource is None]
    if unknown:
        more = [quota.of_datastore("DATASTORE")] if req.version >= microversions.DETAILED else []
        raise ResourceUnknown(unknown, [*quota.RESOURCES, *more])
    changed = {name: limit for name, limit in asked.items() if limit is not None}
    for name, limit in changed.items():
        quotas.set_limit(work.session, project_id, str(resources[name]), limit)
    return Reply({"quotas": changed})


def _resource(req: ApiRequest, session: Session, name: str) -> str | None:
    """Return what is counted under ``name``; ``None`` when nothing is."""
    if name in quota.RESOURCES:
        return name
    datastore = quota.datastore_of(name)
    if not datastore or req.version < microversions.DETAILED:
        return None
    try:
        return quota.of_datastore(Datastore.get_by_name_or_id(session, datastore).id)
    except errors.DatastoreNotFound:
        return None
