# SPDX-License-Identifier: Apache-2.0
"""Datastores."""

from trove.api.routes.paths import DATASTORE, DATASTORES
from trove.api.routes.route import Route as R

ROUTES = (
    R("GET", DATASTORES, "datastores:index", "datastore:index", response="datastores"),
    R("GET", DATASTORE, "datastores:show", "datastore:show", response="datastore"),
    R("DELETE", DATASTORE, "datastores:delete", "datastore:delete", status=202),
)
