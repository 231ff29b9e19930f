# SPDX-License-Identifier: Apache-2.0
"""Instances of all projects, as operators see them. Whoever policy lets in here sees every project."""

from sqlalchemy.orm import Session

from trove.api import paging, refusals
from trove.api.request import ApiRequest, Reply
from trove.api.views import mgmt_instances as view
from trove.common import exception
from trove.domain import instance_states
from trove.objects import instance_listing, root_history
from trove.objects.scope import Scope


class GuestSilent(exception.BadRequest):
    """400, as existing clients expect."""

    symbol = "guest.silent"

    def __init__(self, instance_id: str) -> None:
        super().__init__(
            f"The guest agent of instance {instance_id} has not been heard of lately; see whether its server runs."
        )


def index(req: ApiRequest) -> Reply:
    """List the instances of all projects, or of one; living ones, deleted ones, or both."""
    page = paging.Page.of(req, "instances_page_size")
    scope = Scope.project(req.query["project_id"]) if "project_id" in req.query else Scope.ALL
    with req.services.db.reader() as session:
        rows = instance_listing.list_rows(
            session, scope, limit=page.limit + 1, marker=page.marker, deleted=req.query.get("deleted")
        )
    kept, links = page.cut("instances", rows, lambda row: row.id)
    return Reply({"instances": [view.summary(req, row) for row in kept], **links})


def show(req: ApiRequest) -> Reply:
    """Show one instance, also a deleted one."""
    with req.services.db.reader() as session:
        row = _find(req, session)
        history = root_history.get(session, row.id)
    return Reply({"instance": view.detail(req, row, history)})


def root(req: ApiRequest) -> Reply:
    """Show when and by whom the superuser was enabled first."""
    with req.services.db.reader() as session:
        row = _find(req, session)
        history = root_history.get(session, row.id)
    return Reply({"root_history": view.root(row.id, history)})


def diagnostics(req: ApiRequest) -> Reply:
    """Refuse: an agent does not tell what it uses."""
    with req.services.db.reader() as session:
        _find(req, session)
    return refusals.refuse(req)


def hwinfo(req: ApiRequest) -> Reply:
    """Refuse: an agent does not tell what its machine has."""
    with req.services.db.reader() as session:
        _find(req, session)
    return refusals.refuse(req)


def rpc_ping(req: ApiRequest) -> Reply:
    """Tell whether the last heartbeat is fresh. Nothing is sent: an agent that lives says so by itself."""
    with req.services.db.reader() as session:
        row = instance_listing.get_row(session, Scope.ALL, req.path["instance_id"])
    expiry = req.services.conf.guest_bus.agent_heartbeat_expiry
    if row.reported_at is None or instance_states.is_silent(row.reported_at, row.read_at, expiry):
        raise GuestSilent(row.id)
    return Reply()


def _find(req: ApiRequest, session: Session) -> instance_listing.InstanceRow:
    return instance_listing.get_row(session, Scope.ALL, req.path["instance_id"], include_deleted=True)
