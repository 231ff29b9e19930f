# SPDX-License-Identifier: Apache-2.0
"""The parameters that a configuration group may set, of a datastore version; an inactive version shows its own too."""

from sqlalchemy.orm import Session

from trove.api.request import ApiRequest, Reply
from trove.api.requests import configurations
from trove.api.views import configurations as view
from trove.common import exception, ids
from trove.datastores import parameters
from trove.objects import errors
from trove.objects.catalog import Datastore, DatastoreVersion


def index(req: ApiRequest) -> Reply:
    """List the parameters of a version of a datastore."""
    with req.services.db.reader() as session:
        return _list(req, session, _of_datastore(req, session))


def show(req: ApiRequest) -> Reply:
    """Show one parameter of a version of a datastore."""
    with req.services.db.reader() as session:
        return _show(req, session, _of_datastore(req, session))


def index_by_version(req: ApiRequest) -> Reply:
    """List the parameters of the version with an id."""
    with req.services.db.reader() as session:
        return _list(req, session, by_id(req, session))


def show_by_version(req: ApiRequest) -> Reply:
    """Show one parameter of the version with an id."""
    with req.services.db.reader() as session:
        return _show(req, session, by_id(req, session))


def by_id(req: ApiRequest, session: Session) -> DatastoreVersion:
    """Return the version whose id the path has.

    :raises BadRequest: when the path has no id but something else.
    """
    if not ids.is_uuid(req.path["version"]):
        raise exception.BadRequest("A datastore version without its datastore must be named by its id.")
    return DatastoreVersion.get(session, req.path["version"])


def find(found: parameters.Parameters, name: str, version: DatastoreVersion) -> parameters.Parameter:
    """Return the parameter that a path means.

    :raises ParameterNotFound: when there is none.
    """
    parameter = parameters.find(found, name)
    if parameter is None:
        raise errors.ParameterNotFound(name, version.name)
    return parameter


def _of_datastore(req: ApiRequest, session: Session) -> DatastoreVersion:
    store = Datastore.get_by_name_or_id(session, req.path["datastore"])
    return DatastoreVersion.get_by_name_or_id(session, store, req.path["version"])


def _list(req: ApiRequest, session: Session, version: DatastoreVersion) -> Reply:
    found = configurations.settable(req, session, version)
    return Reply({"configuration-parameters": [view.parameter(item, version.id) for item in found.values()]})


def _show(req: ApiRequest, session: Session, version: DatastoreVersion) -> Reply:
    found = configurations.settable(req, session, version)
    # Bare, without an envelope, as existing clients expect.
    return Reply(view.parameter(find(found, req.path["parameter_name"], version), version.id))
