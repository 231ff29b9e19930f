# SPDX-License-Identifier: Apache-2.0
"""What is and was in progress on an instance."""

from trove.api import paging
from trove.api.request import ApiRequest, Reply
from trove.api.views import operations as view
from trove.objects import instance_listing


def index(req: ApiRequest) -> Reply:
    """List the operations of an instance, newest first."""
    page = paging.Page.of(req, "operations_page_size")
    with req.services.db.reader() as session:
        row = instance_listing.get_row(session, req.scope, req.path["instance_id"])
        found = req.services.store.list_operations(session, row.id, limit=page.limit + 1, marker=page.marker)
    kept, links = page.cut("operations", found, lambda item: item.id)
    return Reply({"operations": [view.summary(item) for item in kept], **links})


def show(req: ApiRequest) -> Reply:
    """Show one operation with its steps."""
    with req.services.db.reader() as session:
        row = instance_listing.get_row(session, req.scope, req.path["instance_id"])
        found = req.services.store.get_operation(session, row.id, req.path["operation_id"])
    return Reply({"operation": view.detail(found)})
