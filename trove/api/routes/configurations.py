# SPDX-License-Identifier: Apache-2.0
"""Configuration groups."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

CONFIGURATIONS = f"{P}/configurations"
CONFIGURATION = f"{CONFIGURATIONS}/{{configuration_id}}"

ROUTES = (
    R("GET", CONFIGURATIONS, "configurations:index", "configuration:index", query="page", response="configurations"),
    R(
        "POST",
        CONFIGURATIONS,
        "configurations:create",
        "configuration:create",
        request="configuration.create",
        response="configuration",
    ),
    R("GET", CONFIGURATION, "configurations:show", "configuration:show", response="configuration"),
    R(
        "PUT",
        CONFIGURATION,
        "configurations:update",
        "configuration:update",
        status=202,
        request="configuration.update",
    ),
    R(
        "PATCH",
        CONFIGURATION,
        "configurations:edit",
        "configuration:edit",
        request="configuration.edit",
        response="configuration",
    ),
    R("DELETE", CONFIGURATION, "configurations:delete", "configuration:delete", status=202),
    R(
        "GET",
        f"{CONFIGURATION}/instances",
        "configurations:instances",
        "configuration:instances",
        query="page",
        response="configuration.instances",
    ),
    R(
        "GET",
        f"{CONFIGURATION}/history",
        "configurations:history",
        "configuration:history",
        query="page",
        response="configuration.history",
        min_version=(1, 2),
    ),
)
