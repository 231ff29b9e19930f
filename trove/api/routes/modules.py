# SPDX-License-Identifier: Apache-2.0
"""Modules."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

MODULES = f"{P}/modules"
MODULE = f"{MODULES}/{{module_id}}"

ROUTES = (
    R("GET", MODULES, "modules:index", "module:index", query="module.query", response="modules"),
    R("POST", MODULES, "modules:create", "module:create", request="module.create", response="module.changed"),
    R("GET", MODULE, "modules:show", "module:show", response="module"),
    R("PUT", MODULE, "modules:update", "module:update", request="module.update", response="module.changed"),
    R("DELETE", MODULE, "modules:delete", "module:delete"),
    R(
        "GET",
        f"{MODULE}/instances",
        "modules:instances",
        "module:instances",
        query="module.instances.query",
        response="module.instances",
    ),
    R("PUT", f"{MODULE}/instances", "modules:reapply", "module:reapply", status=202, request="module.reapply"),
)
