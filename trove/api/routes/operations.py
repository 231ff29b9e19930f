# SPDX-License-Identifier: Apache-2.0
"""Operations: what is being done to an instance, and was done last."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

OPERATIONS = f"{INSTANCE}/operations"

ROUTES = (
    R(
        "GET",
        OPERATIONS,
        "operations:index",
        "instance:operation:index",
        query="page",
        response="operations",
        min_version=(1, 1),
    ),
    R(
        "GET",
        f"{OPERATIONS}/{{operation_id}}",
        "operations:show",
        "instance:operation:show",
        response="operation",
        min_version=(1, 1),
    ),
)
