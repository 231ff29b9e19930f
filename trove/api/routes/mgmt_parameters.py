# SPDX-License-Identifier: Apache-2.0
"""What operators do to the parameters of a version."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

MGMT_PARAMETERS = f"{P}/mgmt/datastores/versions/{{version}}/parameters"

ROUTES = (
    R("GET", MGMT_PARAMETERS, "mgmt_parameters:index", "mgmt:parameter:index", response="mgmt.parameters", admin=True),
    R(
        "POST",
        MGMT_PARAMETERS,
        "mgmt_parameters:create",
        "mgmt:parameter:create",
        request="mgmt.parameter.rule",
        response="mgmt.parameter",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_PARAMETERS}/{{parameter_name}}",
        "mgmt_parameters:show",
        "mgmt:parameter:show",
        response="mgmt.parameter",
        admin=True,
    ),
    R(
        "PUT",
        f"{MGMT_PARAMETERS}/{{parameter_name}}",
        "mgmt_parameters:update",
        "mgmt:parameter:update",
        request="mgmt.parameter.rule",
        response="mgmt.parameter",
        admin=True,
    ),
    R(
        "DELETE",
        f"{MGMT_PARAMETERS}/{{parameter_name}}",
        "mgmt_parameters:delete",
        "mgmt:parameter:delete",
        status=204,
        admin=True,
    ),
)
