# SPDX-License-Identifier: Apache-2.0
"""Security groups."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

SECURITY_GROUPS = f"{P}/security-groups"

ROUTES = (
    R("GET", SECURITY_GROUPS, "security_groups:index", "security_group:index", response="security_groups"),
    R("GET", f"{SECURITY_GROUPS}/{{group_id}}", "security_groups:show", "security_group:show", lacks="security-groups"),
)
