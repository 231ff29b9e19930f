# SPDX-License-Identifier: Apache-2.0
"""Datastores: the engines that can be ordered. Named by id or by name."""

from trove.api import transactions
from trove.api.request import ApiRequest, Reply
from trove.api.views import datastores as view
from trove.objects.catalog import Datastore, DatastoreVersion
from trove.operations.work import Work


def index(req: ApiRequest) -> Reply:
    """List datastores: for administrators all, for others those that have an active version, and only these
    versions."""
    admin = bool(req.context.is_admin)
    with req.services.db.reader() as session:
        stores = Datastore.list(session)
        versions: dict[str, list[DatastoreVersion]] = {store.id: [] for store in stores}
        for version in DatastoreVersion.list(session, active_only=not admin):
            versions.setdefault(version.datastore_id, []).append(version)
    shown = [view.datastore(req, store, versions[store.id]) for store in stores if admin or versions[store.id]]
    return Reply({"datastores": shown})


def show(req: ApiRequest) -> Reply:
    """Show one datastore with its active versions, for administrators as well."""
    with req.services.db.reader() as session:
        store = Datastore.get_by_name_or_id(session, req.path["datastore"])
        versions = DatastoreVersion.list(session, datastore_id=store.id, active_only=True)
    return Reply({"datastore": view.datastore(req, store, versions)})


@transactions.transactional
def delete(req: ApiRequest, work: Work) -> Reply:
    """Delete a datastore that has no versions."""
    Datastore.get_by_name_or_id(work.session, req.path["datastore"]).delete(work.session)
    return Reply()
