# SPDX-License-Identifier: Apache-2.0
"""The API's description of itself, for tools. Needs no authentication: it tells nothing about this deployment."""

from trove.api import openapi, routes, schemas
from trove.api.request import ApiRequest, Reply


def show(req: ApiRequest) -> Reply:
    """Return the OpenAPI document."""
    return Reply(openapi.document(routes.ROUTES, schemas.load(), req.base_url))
