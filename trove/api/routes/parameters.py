# SPDX-License-Identifier: Apache-2.0
"""The parameters that a version of a datastore has."""

from trove.api.routes.paths import DATASTORES, VERSION
from trove.api.routes.route import Route as R

PARAMETERS = f"{VERSION}/parameters"

ROUTES = (
    R("GET", PARAMETERS, "parameters:index", "configuration-parameter:index", response="parameters"),
    R(
        "GET",
        f"{PARAMETERS}/{{parameter_name}}",
        "parameters:show",
        "configuration-parameter:show",
        response="parameter",
    ),
    R(
        "GET",
        f"{DATASTORES}/versions/{{version}}/parameters",
        "parameters:index_by_version",
        "configuration-parameter:index_by_version",
        response="parameters",
    ),
    R(
        "GET",
        f"{DATASTORES}/versions/{{version}}/parameters/{{parameter_name}}",
        "parameters:show_by_version",
        "configuration-parameter:show_by_version",
        response="parameter",
    ),
)
