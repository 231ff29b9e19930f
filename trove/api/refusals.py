# SPDX-License-Identifier: Apache-2.0
"""How a call is refused that the service understands and cannot carry out in this release."""

from trove.api.request import ApiRequest, Reply
from trove.common import exception
from trove.objects import instance_listing


def lacking(capability: str) -> exception.NotSupported:
    """Return the error that names the capability the service lacks."""
    return exception.NotSupported(f"This service cannot do that: it does not have the capability '{capability}'.")


def refuse(req: ApiRequest) -> Reply:
    """Refuse what the route of ``req`` lacks the capability for.

    :raises NotSupported: always.
    """
    assert req.route.lacks is not None  # only such routes come here
    raise lacking(req.route.lacks)


def refuse_for_instance(req: ApiRequest) -> Reply:
    """Refuse likewise what was asked of an instance, once it is found.

    :raises InstanceNotFound: when the caller may not see it.
    :raises NotSupported: always.
    """
    with req.services.db.reader() as session:
        instance_listing.get_row(session, req.scope, req.path["instance_id"])
    return refuse(req)
