# SPDX-License-Identifier: Apache-2.0
"""Rules of what operators do to instances, clusters and quotas. Who is refused by one gets 401, as existing clients
expect of management calls; only quotas of another project are 403."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_INSTANCES = "/mgmt/instances"
_INSTANCE = f"{_INSTANCES}/{{instance_id}}"
_ACTION = ("POST", f"{_INSTANCE}/action")
_CLUSTERS = "/mgmt/clusters"
_CLUSTER = f"{_CLUSTERS}/{{cluster_id}}"
_QUOTAS = "/mgmt/quotas/{quota_project_id}"

#: Rule, description, call; all for administrators.
_RULES = (
    ("mgmt:instance:index", "List the instances of all projects.", ("GET", _INSTANCES)),
    ("mgmt:instance:show", "Show an instance with what only operators see.", ("GET", _INSTANCE)),
    ("mgmt:instance:root", "See who enabled the superuser of an instance first.", ("GET", f"{_INSTANCE}/root")),
    ("mgmt:instance:diagnostics", "Show what an agent uses of its machine.", ("GET", f"{_INSTANCE}/diagnostics")),
    ("mgmt:instance:hwinfo", "Show what an agent's machine has.", ("GET", f"{_INSTANCE}/hwinfo")),
    ("mgmt:instance:rpc_ping", "Ask whether an agent has been heard of lately.", ("GET", f"{_INSTANCE}/rpc_ping")),
    ("mgmt:instance:stop", "Stop the database server of an instance.", _ACTION),
    ("mgmt:instance:reboot", "Restart the machine of an instance.", _ACTION),
    ("mgmt:instance:migrate", "Move an instance to another host.", _ACTION),
    ("mgmt:instance:rebuild", "Make the machine of an instance anew from another image.", _ACTION),
    ("mgmt:instance:reset_task_status", "Give up what is in progress on an instance.", _ACTION),
    ("mgmt:cluster:index", "List the clusters of all projects.", ("GET", _CLUSTERS)),
    ("mgmt:cluster:show", "Show a cluster with what only operators see.", ("GET", _CLUSTER)),
    ("mgmt:cluster:action", "Give up what is in progress on a cluster.", ("POST", f"{_CLUSTER}/action")),
    ("mgmt:quota:update", "Give a project limits of its own.", ("PUT", _QUOTAS)),
)


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        *(base.rule(name, base.ADMIN, description, [call]) for name, description, call in _RULES),
        base.rule("mgmt:quota:show", base.READER, "Show limits and use of a project.", [("GET", _QUOTAS)]),
    ]
