# SPDX-License-Identifier: Apache-2.0
"""Backup strategies: where the backups of a project or an instance go. The service makes none yet."""

from trove.api import refusals
from trove.api.request import ApiRequest, Reply


def index(req: ApiRequest) -> Reply:
    """List the strategies of the project, or of another one for those who may."""
    _check_project(req, "backup_strategy:index")
    return Reply({"backup_strategies": []})


def create(req: ApiRequest) -> Reply:
    """Refuse to set a strategy; an instance that does not exist is said first."""
    instance_id = req.body["backup_strategy"].get("instance_id")
    if instance_id:
        refusals.find_instance(req, instance_id)
    return refusals.refuse(req)


def delete(req: ApiRequest) -> Reply:
    """Delete what matches, which is nothing; existing clients take that for success."""
    _check_project(req, "backup_strategy:delete")
    return Reply()


def _check_project(req: ApiRequest, rule: str) -> None:
    # The rule was checked for the caller's own project; another one's owner is that project.
    if "project_id" in req.query:
        req.authorize(rule, req.query["project_id"])
