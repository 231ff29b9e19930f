# SPDX-License-Identifier: Apache-2.0
"""The whole URL space in one table: one module for each noun, put together here.

A route names everything that belongs to it: handler, policy, schemas, success status, versions. The dispatcher, the
OpenAPI document and the completeness tests all read this table, so nothing is reachable that is not written in it.
The order is that of the OpenAPI document; it has no bearing on which route a request takes.
"""

from trove.api.routes import (
    backups,
    clusters,
    configurations,
    databases,
    datastore_versions,
    datastores,
    discovery,
    flavors,
    instance_modules,
    instances,
    limits,
    logs,
    mgmt_clusters,
    mgmt_datastore_versions,
    mgmt_instances,
    mgmt_parameters,
    modules,
    operations,
    parameters,
    quotas,
    root,
    security_groups,
    ssl,
    users,
    volume_types,
)
from trove.api.routes.paths import P
from trove.api.routes.route import Route

__all__ = ("ROUTES", "P", "Route")

_NOUNS = (
    discovery,
    limits,
    flavors,
    datastores,
    datastore_versions,
    volume_types,
    mgmt_datastore_versions,
    parameters,
    mgmt_parameters,
    configurations,
    instances,
    databases,
    users,
    root,
    logs,
    instance_modules,
    modules,
    operations,
    backups,
    clusters,
    ssl,
    security_groups,
    mgmt_instances,
    mgmt_clusters,
    quotas,
)

ROUTES: tuple[Route, ...] = tuple(route for noun in _NOUNS for route in noun.ROUTES)
