# SPDX-License-Identifier: Apache-2.0
"""Clusters. The service makes none yet: there are none to list, to show or to change, and a request for one is
refused."""

from collections.abc import Mapping

from trove.api import refusals
from trove.api.request import ApiRequest, Reply
from trove.common import exception


class ClusterNotFound(exception.NotFound):
    symbol = "cluster.not_found"

    def __init__(self, cluster_id: str) -> None:
        super().__init__(f"Cluster {cluster_id[:255]} was not found.")


def index(req: ApiRequest) -> Reply:
    """List the clusters of the project."""
    return Reply({"clusters": []})


def create(req: ApiRequest) -> Reply:
    """Refuse to make a cluster."""
    return refusals.refuse(req)


def show(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])


def show_instance(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])


def action(req: ApiRequest) -> Reply:
    """Find no cluster; the body says which rule counts."""
    ((name, argument),) = req.body.items()
    rule = "cluster:action"
    if name == "reset-status":
        forced = isinstance(argument, Mapping) and "force_delete" in argument
        rule = "cluster:force_delete" if forced else "cluster:reset-status"
    req.authorize(rule)
    raise ClusterNotFound(req.path["cluster_id"])


def delete(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])


def root(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])


def enable_root(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])


def disable_root(req: ApiRequest) -> Reply:
    """Find no cluster."""
    raise ClusterNotFound(req.path["cluster_id"])
