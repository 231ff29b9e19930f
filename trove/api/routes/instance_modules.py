# SPDX-License-Identifier: Apache-2.0
"""The modules applied to an instance."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

MODULES_OF = f"{INSTANCE}/modules"

ROUTES = (
    R(
        "GET",
        MODULES_OF,
        "instance_modules:index",
        "instance:module_list",
        query="instance_modules.query",
        response="instance_modules",
    ),
    R(
        "POST",
        MODULES_OF,
        "instance_modules:apply",
        "instance:module_apply",
        request="instance_modules.apply",
        response="instance_modules",
    ),
    R("DELETE", f"{MODULES_OF}/{{module_id}}", "instance_modules:remove", "instance:module_remove"),
)
