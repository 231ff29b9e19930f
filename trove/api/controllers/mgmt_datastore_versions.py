# SPDX-License-Identifier: Apache-2.0
"""Datastore versions for operators: list, show, make, change, delete. Named by their id.

Which engine on this host a version means is found out when it is made and at each change, where the provider runs
engines of the host (:mod:`trove.api.engines`); an image of a cloud is then only remembered. No provider here boots
images yet, so none is looked up.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trove.api import engines, transactions
from trove.api.request import ApiRequest, Reply
from trove.api.views import datastores as view
from trove.common import exception, ids
from trove.datastores import spi
from trove.objects import catalog, errors
from trove.objects.catalog import Datastore, DatastoreVersion
from trove.operations.work import Work

#: What the column holds, commas included.
_MAX_PACKAGES = 511
#: Members of a body that are columns of the same meaning under another name.
_COLUMNS = {"datastore_manager": "manager", "image": "image_id"}
_SETTINGS = ("datastore_manager", "image", "image_tags", "registry_ext", "repl_strategy", "active", "name")


class ManagerUnknown(exception.BadRequest):
    """No plugin is installed for the manager that a version names."""

    symbol = "datastore_manager.unknown"

    def __init__(self, manager: str, installed: list[str]) -> None:
        there = ", ".join(installed) or "none"
        super().__init__(f"There is no datastore manager '{manager}'; installed are: {there}.")


class ImageMissing(exception.BadRequest):
    """A version must come from somewhere."""

    symbol = "datastore_version.no_image"
    default = (
        "A datastore version needs image or image_tags, unless its engine is found on the host that runs instances; "
        "name one of them."
    )


def index(req: ApiRequest) -> Reply:
    """List all versions of all datastores."""
    with req.services.db.reader() as session:
        rows = DatastoreVersion.list(session)
    return Reply({"versions": [view.management(row) for row in rows]})


def show(req: ApiRequest) -> Reply:
    """Show one version."""
    with req.services.db.reader() as session:
        row = _find(req, session)
    return Reply({"version": view.management(row)})


def create(req: ApiRequest) -> Reply:
    """Make a version, and its datastore when it is the first."""
    body = req.body["version"]
    columns = _columns(body)
    located = engines.locate(
        req.services.conf, _plugin(req, body["datastore_manager"]), body.get("version", body["name"])
    )
    _require_source(columns.get("image_id"), columns.get("image_tags"), located)
    if located is not None:
        columns |= located.columns()
    columns.pop("name")

    def decide(work: Work) -> Reply:
        catalog.create_version(
            work.session,
            datastore=body["datastore_name"],
            name=body["name"],
            version=body.get("version"),
            default=body.get("default", False),
            **columns,
        )
        return Reply()

    return transactions.perform(req, decide)


@transactions.transactional
def edit(req: ApiRequest, work: Work) -> Reply:
    """Change a version; what the body does not name stays. Image tags without an image take its place."""
    body: Mapping[str, Any] = req.body
    row = _find(req, work.session)
    row.assign(_columns(body))
    if "image_tags" in body and "image" not in body:
        row.image_id = None
    if "active" in body:
        row.engine_missing_at = None  # the operator has decided
    plugin = _plugin(req, row.manager) if "datastore_manager" in body else req.services.plugins.get(row.manager)
    located = engines.locate(req.services.conf, plugin, row.version) if plugin is not None else None
    if located is not None:
        row.assign(located.columns())
    if not (row.engine_home or row.root_image):
        _require_source(row.image_id, row.image_tags, located)
    row.save(work.session)
    _set_default(work.session, row, body.get("default"))
    return Reply()


@transactions.transactional
def delete(req: ApiRequest, work: Work) -> Reply:
    """Delete a version that nothing uses, with its parameters and associations."""
    _find(req, work.session).delete(work.session)
    return Reply()


def _find(req: ApiRequest, session: Session) -> DatastoreVersion:
    version_id = req.path["version"]
    if not ids.is_uuid(version_id):
        raise errors.VersionNotFound(version_id)
    return DatastoreVersion.get(session, version_id)


def _plugin(req: ApiRequest, manager: str) -> spi.Plugin:
    plugin = req.services.plugins.get(manager)
    if plugin is None:
        raise ManagerUnknown(manager, sorted(req.services.plugins))
    return plugin


def _columns(body: Mapping[str, Any]) -> dict[str, Any]:
    columns = {_COLUMNS.get(name, name): body[name] for name in _SETTINGS if name in body}
    if "packages" in body:
        columns["packages"] = ",".join(body["packages"])
        if len(columns["packages"]) > _MAX_PACKAGES:
            raise exception.ValidationFailed([f"packages must have at most {_MAX_PACKAGES} characters together"])
    if columns.get("image_id"):
        columns["image_id"] = columns["image_id"].lower()
    return columns


def _require_source(image_id: str | None, image_tags: list[str] | None, located: engines.Available | None) -> None:
    if not (image_id or image_tags or located):
        raise ImageMissing()


def _set_default(session: Session, row: DatastoreVersion, default: bool | None) -> None:
    if default is None or default == row.is_default:
        return
    Datastore.get_by_name_or_id(session, row.datastore_id).set_default(session, row.id if default else None)
