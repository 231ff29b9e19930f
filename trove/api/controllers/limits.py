# SPDX-License-Identifier: Apache-2.0
"""Limits of the caller's project."""

from trove.api.request import ApiRequest, Reply
from trove.api.views import limits as view
from trove.conf import quota as quota_conf
from trove.objects import quota


def index(req: ApiRequest) -> Reply:
    """List the absolute limits first, because clients take the first element for them, and the rate rules in force."""
    defaults = quota_conf.default_limits(req.services.conf)
    with req.services.db.reader() as session:
        limits = quota.limits(session, req.project_id, defaults)
    rates = [view.rate(standing) for standing in req.rates.standings(req.project_id)]
    return Reply({"limits": [view.absolute(limits), *rates]})
