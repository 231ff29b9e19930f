# SPDX-License-Identifier: Apache-2.0
"""Flavors."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

ROUTES = (
    R("GET", f"{P}/flavors", "flavors:index", "flavor:index", response="flavors"),
    R("GET", f"{P}/flavors/{{flavor_id}}", "flavors:show", "flavor:show", response="flavor"),
)
