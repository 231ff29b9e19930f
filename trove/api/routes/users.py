# SPDX-License-Identifier: Apache-2.0
"""The users in an instance, and the databases they may use."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

USERS = f"{INSTANCE}/users"
USER = f"{USERS}/{{user_name}}"

ROUTES = (
    R("GET", USERS, "users:index", "instance:extension:user:index", query="page", response="users"),
    R(
        "POST",
        USERS,
        "users:create",
        "instance:extension:user:create",
        status=202,
        request="user.create",
        operations=True,
    ),
    R(
        "PUT",
        USERS,
        "users:update_all",
        "instance:extension:user:update_all",
        status=202,
        request="user.update_all",
        operations=True,
    ),
    R("GET", USER, "users:show", "instance:extension:user:show", response="user"),
    R(
        "POST",
        USER,
        "users:create_one",
        "instance:extension:user:create",
        status=202,
        request="user.create",
        operations=True,
    ),
    R(
        "PUT",
        USER,
        "users:update",
        "instance:extension:user:update",
        status=202,
        request="user.update",
        operations=True,
    ),
    R("DELETE", USER, "users:delete", "instance:extension:user:delete", status=202, operations=True),
    R("GET", f"{USER}/databases", "user_access:index", "instance:extension:user_access:index", response="user_access"),
    R(
        "PUT",
        f"{USER}/databases",
        "user_access:update",
        "instance:extension:user_access:update",
        status=202,
        operations=True,
        request="user_access.update",
    ),
    R(
        "DELETE",
        f"{USER}/databases/{{database_name}}",
        "user_access:delete",
        "instance:extension:user_access:delete",
        status=202,
        operations=True,
    ),
)
