# SPDX-License-Identifier: Apache-2.0
"""Flavors: the sizes an instance can have."""

from trove.api.request import ApiRequest, Reply
from trove.api.views import flavors as view
from trove.objects.catalog import Flavor


def index(req: ApiRequest) -> Reply:
    """List all flavors, smallest first."""
    with req.services.db.reader() as session:
        rows = Flavor.list(session)
    return Reply({"flavors": [view.flavor(row, req.base_url, req.project_id) for row in rows]})


def show(req: ApiRequest) -> Reply:
    """Show one flavor."""
    with req.services.db.reader() as session:
        row = Flavor.get(session, req.path["flavor_id"])
    return Reply({"flavor": view.flavor(row, req.base_url, req.project_id)})
