# SPDX-License-Identifier: Apache-2.0
"""Volume types: the kinds of storage that a data volume can have. Those that are not public are shown to
administrators, and with the datastore versions they are associated with."""

from trove.api.request import ApiRequest, Reply
from trove.api.views import volume_types as view
from trove.objects import errors
from trove.objects.catalog import VolumeType


def index(req: ApiRequest) -> Reply:
    """List the volume types by name."""
    with req.services.db.reader() as session:
        rows = VolumeType.list(session)
    return Reply({"volume_types": [view.volume_type(row) for row in rows if row.is_public or req.context.is_admin]})


def show(req: ApiRequest) -> Reply:
    """Show one volume type, named by its id or its name."""
    wanted = req.path["volume_type"]
    with req.services.db.reader() as session:
        row = VolumeType.get_by_name_or_id(session, wanted)
    if not (row.is_public or req.context.is_admin):
        raise errors.VolumeTypeNotFound(wanted)
    return Reply({"volume_type": view.volume_type(row)})
