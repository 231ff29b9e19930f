# SPDX-License-Identifier: Apache-2.0
"""Versions of a datastore, and what each can be combined with. Named by id or by name; an inactive one can still be
shown."""

from sqlalchemy import orm

from trove.api.request import ApiRequest, Reply
from trove.api.views import datastores as view
from trove.api.views import flavors as flavor_view
from trove.api.views import volume_types as volume_type_view
from trove.common import exception, ids
from trove.objects import association
from trove.objects.catalog import Datastore, DatastoreVersion


def index(req: ApiRequest) -> Reply:
    """List the versions of a datastore; only administrators see inactive ones."""
    with req.services.db.reader() as session:
        store = Datastore.get_by_name_or_id(session, req.path["datastore"])
        rows = DatastoreVersion.list(session, datastore_id=store.id, active_only=not req.context.is_admin)
    return Reply({"versions": [view.version(req, row) for row in rows]})


def show(req: ApiRequest) -> Reply:
    """Show one version of a datastore."""
    with req.services.db.reader() as session:
        row = _find(req, session)
    return Reply({"version": view.version(req, row)})


def show_by_id(req: ApiRequest) -> Reply:
    """Show the version with an id, whatever its datastore.

    :raises BadRequest: when the path has no id but something else, as existing clients expect.
    """
    if not ids.is_uuid(req.path["version"]):
        raise exception.BadRequest("A datastore version without its datastore must be named by its id.")
    with req.services.db.reader() as session:
        row = DatastoreVersion.get(session, req.path["version"])
    return Reply({"version": view.version(req, row)})


def flavors(req: ApiRequest) -> Reply:
    """List the flavors a version may use: those it is restricted to, or all."""
    with req.services.db.reader() as session:
        rows = association.flavors(session, _find(req, session))
    return Reply({"flavors": [flavor_view.flavor(row, req.base_url, req.project_id) for row in rows]})


def volume_types(req: ApiRequest) -> Reply:
    """List the volume types a version may use: those it is restricted to, or all that the caller may see."""
    with req.services.db.reader() as session:
        rows = association.volume_types(session, _find(req, session), private=bool(req.context.is_admin))
    return Reply({"volume_types": [volume_type_view.volume_type(row) for row in rows]})


def _find(req: ApiRequest, session: orm.Session) -> DatastoreVersion:
    store = Datastore.get_by_name_or_id(session, req.path["datastore"])
    return DatastoreVersion.get_by_name_or_id(session, store, req.path["version"])
