# SPDX-License-Identifier: Apache-2.0
"""Backups. The service makes none yet: there are none to list, none to show, and a request for one is refused."""

from trove.api import refusals
from trove.api.request import ApiRequest, Reply
from trove.common import exception
from trove.objects.catalog import Datastore


class BackupNotFound(exception.NotFound):
    symbol = "backup.not_found"

    def __init__(self, backup_id: str) -> None:
        super().__init__(f"Backup {backup_id[:255]} was not found.")


def index(req: ApiRequest) -> Reply:
    """List the backups of the project, or of others for those who may."""
    beyond = req.query.get("all_projects") or "project_id" in req.query
    req.authorize("backup:index:all_projects" if beyond else "backup:index")
    if "datastore" in req.query:
        with req.services.db.reader() as session:
            Datastore.get_by_name_or_id(session, req.query["datastore"])
    return Reply({"backups": []})


def of_instance(req: ApiRequest) -> Reply:
    """List the backups of one instance."""
    refusals.find_instance(req)
    return Reply({"backups": []})


def create(req: ApiRequest) -> Reply:
    """Refuse to make a backup; whatever is wrong with the request is said first."""
    body = req.body["backup"]
    instance_id = str(body.get("instance") or "").rstrip("/").rpartition("/")[2]
    if not instance_id and "restore_from" not in body:
        raise exception.ValidationFailed(["backup.instance is required, unless backup.restore_from is given"])
    if instance_id:
        refusals.find_instance(req, instance_id)
    if body.get("parent_id"):
        raise BackupNotFound(body["parent_id"])
    return refusals.refuse(req)


def show(req: ApiRequest) -> Reply:
    """Find no backup."""
    raise BackupNotFound(req.path["backup_id"])


def delete(req: ApiRequest) -> Reply:
    """Find no backup."""
    raise BackupNotFound(req.path["backup_id"])
