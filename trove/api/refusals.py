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


def find_instance(req: ApiRequest, instance_id: str | None = None) -> None:
    """Check that the instance a request is about, the one in its path unless named, is there for the caller.

    :raises InstanceNotFound: otherwise.
    """
    with req.services.db.reader() as session:
        instance_listing.get_row(session, req.scope, instance_id or req.path["instance_id"])
