# SPDX-License-Identifier: Apache-2.0
"""Discovery: which versions there are. Needs no authentication, because clients ask before they have any."""

from trove.api.request import ApiRequest, Reply
from trove.api.views import versions as view


def index(req: ApiRequest) -> Reply:
    """List all versions."""
    return Reply({"versions": [view.entry(req.base_url)]})


def show(req: ApiRequest) -> Reply:
    """Show the version whose root was asked for."""
    return Reply({"version": view.entry(req.base_url)})
