# SPDX-License-Identifier: Apache-2.0
"""What operators see of instances and do to them."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

MGMT_INSTANCES = f"{P}/mgmt/instances"
MGMT_INSTANCE = f"{MGMT_INSTANCES}/{{instance_id}}"

#: Rules of what operators do to an instance; the body says which one counts.
MGMT_POLICIES = (
    "mgmt:instance:stop",
    "mgmt:instance:reboot",
    "mgmt:instance:migrate",
    "mgmt:instance:rebuild",
    "mgmt:instance:reset_task_status",
)

ROUTES = (
    R(
        "GET",
        MGMT_INSTANCES,
        "mgmt_instances:index",
        "mgmt:instance:index",
        query="mgmt.instance.query",
        response="mgmt.instances",
        admin=True,
    ),
    R("GET", MGMT_INSTANCE, "mgmt_instances:show", "mgmt:instance:show", response="mgmt.instance", admin=True),
    R(
        "POST",
        f"{MGMT_INSTANCE}/action",
        "mgmt_actions:run",
        MGMT_POLICIES,
        status=202,
        request="mgmt.instance.action",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_INSTANCE}/root",
        "mgmt_instances:root",
        "mgmt:instance:root",
        response="mgmt.root_history",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_INSTANCE}/diagnostics",
        "mgmt_instances:diagnostics",
        "mgmt:instance:diagnostics",
        lacks="agent-diagnostics",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_INSTANCE}/hwinfo",
        "mgmt_instances:hwinfo",
        "mgmt:instance:hwinfo",
        lacks="hardware-information",
        admin=True,
    ),
    R("GET", f"{MGMT_INSTANCE}/rpc_ping", "mgmt_instances:rpc_ping", "mgmt:instance:rpc_ping", status=204, admin=True),
)
