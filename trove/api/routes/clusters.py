# SPDX-License-Identifier: Apache-2.0
"""Clusters."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

CLUSTERS = f"{P}/clusters"
CLUSTER = f"{CLUSTERS}/{{cluster_id}}"

#: Rules of the actions on a cluster; the body says which one counts.
CLUSTER_POLICIES = ("cluster:action", "cluster:reset-status", "cluster:force_delete")

ROUTES = (
    R("GET", CLUSTERS, "clusters:index", "cluster:index", query="page", response="clusters"),
    R("POST", CLUSTERS, "clusters:create", "cluster:create", request="cluster.create", lacks="clusters"),
    R("GET", CLUSTER, "clusters:show", "cluster:show", lacks="clusters"),
    R("POST", CLUSTER, "clusters:action", CLUSTER_POLICIES, status=202, request="cluster.action", lacks="clusters"),
    R("DELETE", CLUSTER, "clusters:delete", "cluster:delete", status=202, lacks="clusters"),
    R("GET", f"{CLUSTER}/instances/{{member_id}}", "clusters:show_instance", "cluster:show_instance", lacks="clusters"),
    R("GET", f"{CLUSTER}/root", "clusters:root", "cluster:extension:root:index", lacks="clusters"),
    R(
        "POST",
        f"{CLUSTER}/root",
        "clusters:enable_root",
        "cluster:extension:root:create",
        request="root.create",
        body_optional=True,
        lacks="clusters",
    ),
    R(
        "DELETE",
        f"{CLUSTER}/root",
        "clusters:disable_root",
        "cluster:extension:root:delete",
        status=204,
        lacks="clusters",
    ),
)
