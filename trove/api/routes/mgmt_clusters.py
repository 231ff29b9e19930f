# SPDX-License-Identifier: Apache-2.0
"""What operators see of clusters and do to them."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

MGMT_CLUSTERS = f"{P}/mgmt/clusters"
MGMT_CLUSTER = f"{MGMT_CLUSTERS}/{{cluster_id}}"

ROUTES = (
    R(
        "GET",
        MGMT_CLUSTERS,
        "mgmt_clusters:index",
        "mgmt:cluster:index",
        query="mgmt.cluster.query",
        response="clusters",
        admin=True,
    ),
    R("GET", MGMT_CLUSTER, "mgmt_clusters:show", "mgmt:cluster:show", lacks="clusters", admin=True),
    R(
        "POST",
        f"{MGMT_CLUSTER}/action",
        "mgmt_clusters:action",
        "mgmt:cluster:action",
        status=202,
        request="mgmt.cluster.action",
        lacks="clusters",
        admin=True,
    ),
)
