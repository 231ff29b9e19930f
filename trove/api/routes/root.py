# SPDX-License-Identifier: Apache-2.0
"""The superuser of an instance."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

ROOT = f"{INSTANCE}/root"

ROUTES = (
    R("GET", ROOT, "root:index", "instance:extension:root:index", response="root"),
    R(
        "POST",
        ROOT,
        "root:create",
        "instance:extension:root:create",
        request="root.create",
        body_optional=True,
        response="root.created",
    ),
    R("DELETE", ROOT, "root:delete", "instance:extension:root:delete", status=204, operations=True),
)
