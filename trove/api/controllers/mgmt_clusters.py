# SPDX-License-Identifier: Apache-2.0
"""Clusters as operators see them; there are none yet."""

from trove.api.controllers.clusters import ClusterNotFound
from trove.api.request import ApiRequest, Reply


def index(req: ApiRequest) -> Reply:
    """List the clusters of all projects."""
    return Reply({"clusters": []})


def show(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])


def action(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])
