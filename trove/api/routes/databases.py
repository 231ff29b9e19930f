# SPDX-License-Identifier: Apache-2.0
"""The databases in an instance."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

DATABASES = f"{INSTANCE}/databases"

ROUTES = (
    R("GET", DATABASES, "databases:index", "instance:extension:database:index", query="page", response="databases"),
    R(
        "POST",
        DATABASES,
        "databases:create",
        "instance:extension:database:create",
        status=202,
        operations=True,
        request="database.create",
    ),
    R(
        "GET",
        f"{DATABASES}/{{database_name}}",
        "databases:show",
        "instance:extension:database:show",
        response="database",
    ),
    R(
        "DELETE",
        f"{DATABASES}/{{database_name}}",
        "databases:delete",
        "instance:extension:database:delete",
        status=202,
        operations=True,
    ),
)
