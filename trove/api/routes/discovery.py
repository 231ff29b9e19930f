# SPDX-License-Identifier: Apache-2.0
"""Discovery: the versions, and the description of the API. Needs no authentication, which it comes before."""

from trove.api.routes.route import Route as R

DISCOVERY = "Discovery comes before authentication."

ROUTES = (
    R("GET", "/", "versions:index", None, response="versions", public=True, reason=DISCOVERY),
    R("GET", "/v1.0", "versions:show", None, response="version", public=True, reason=DISCOVERY),
    R("GET", "/v1.0/openapi.json", "openapi:show", None, response="openapi", public=True, reason=DISCOVERY),
)
