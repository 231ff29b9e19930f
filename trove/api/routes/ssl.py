# SPDX-License-Identifier: Apache-2.0
"""The encryption of an instance's connections."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

SSL = f"{INSTANCE}/ssl"

ROUTES = (
    R("GET", SSL, "ssl:show", "instance:show", query="ssl.query", lacks="ssl"),
    R("POST", SSL, "ssl:change", "instance:update", request="ssl.change", lacks="ssl"),
)
