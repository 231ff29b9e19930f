# SPDX-License-Identifier: Apache-2.0
"""Quotas."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

QUOTAS = f"{P}/mgmt/quotas/{{quota_project_id}}"

ROUTES = (
    R("GET", QUOTAS, "quotas:show", "mgmt:quota:show", response="quotas"),
    R(
        "PUT",
        QUOTAS,
        "quotas:update",
        "mgmt:quota:update",
        request="quotas.update",
        response="quotas.updated",
        admin=True,
    ),
)
