# SPDX-License-Identifier: Apache-2.0
"""Instances, and the actions on one."""

from trove.api.routes.paths import INSTANCE, INSTANCES
from trove.api.routes.route import Route as R

#: Rules of the actions; the body says which one counts.
ACTION_POLICIES = (
    "instance:restart",
    "instance:resize_volume",
    "instance:resize_flavor",
    "instance:promote_to_replica_source",
    "instance:eject_replica_source",
    "instance:reset_status",
    "instance:force_delete",
)

ROUTES = (
    R(
        "GET",
        f"{INSTANCE}/configuration",
        "instances:configuration",
        "instance:configuration",
        response="configuration.default",
    ),
    R("GET", INSTANCES, "instances:index", "instance:index", query="instance.query", response="instances"),
    R(
        "GET",
        f"{INSTANCES}/detail",
        "instances:detail",
        "instance:detail",
        query="instance.query",
        response="instances.detail",
    ),
    R("POST", INSTANCES, "instances:create", "instance:create", request="instance.create", response="instance"),
    R("GET", INSTANCE, "instances:show", "instance:show", response="instance"),
    R("PUT", INSTANCE, "instances:update", "instance:update", status=202, request="instance.update"),
    R("PATCH", INSTANCE, "instances:edit", "instance:update", status=202, request="instance.edit"),
    R("DELETE", INSTANCE, "instances:delete", "instance:delete", status=202),
    R("POST", f"{INSTANCE}/action", "instance_actions:run", ACTION_POLICIES, status=202, request="instance.action"),
)
