# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document, made from the route table and the very schemas that requests and answers are held against.

Nothing is written twice, so nothing can be reachable and not described. The document describes the newest version;
what older versions read differently is in the schemas' ``x-ignore-unknown-until``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from trove.api import microversions
from trove.api.routes import Route

_PARAMETER = re.compile(r"{(\w+)}")
_VERSION_TEXT = (
    "Selects how the request is read and answered; absent means 1.0. Below 1.1 unknown members of a body are ignored "
    "where the schema says x-ignore-unknown-until, and unknown query parameters everywhere."
)


def document(routes: Iterable[Route], schemas: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """Return the document.

    :param schemas: all schemas by name, see :func:`trove.api.schemas.load`.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        item = paths.setdefault(route.path, {})
        parameters = [_path_parameter(name) for name in _PARAMETER.findall(route.path)]
        if parameters:
            item["parameters"] = parameters
        item[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "OpenStack Database (Trove) API",
            "version": str(microversions.MAX),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "security": [{"token": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": dict(schemas),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "basic": {"type": "http", "scheme": "basic"},
            },
            "responses": {
                "error": {
                    "description": "What went wrong, in one member that names the fault.",
                    "content": _json("error"),
                }
            },
            "headers": {
                "version": {"description": "The version that answered.", "schema": {"type": "string"}},
                "request-id": {
                    "description": "Names this request in the service's logs.",
                    "schema": {"type": "string"},
                },
            },
        },
    }


def operation_id(route: Route) -> str:
    """Return the unique name of a route's operation: ``instances.create``."""
    return route.handler.replace(":", ".")


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _operation(route: Route, schemas: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "tags": [route.handler.partition(":")[0].replace("_", " ")],
        "parameters": [_version_header(route), *_query_parameters(route, schemas)],
        "responses": {
            str(route.status): _success(route),
            **({"202": _begun()} if route.operations else {}),
            "4XX": _reference("responses", "error"),
            "5XX": _reference("responses", "error"),
        },
    }
    if route.request is not None:
        operation["requestBody"] = {"required": not route.body_optional, "content": _json(route.request)}
    if route.policies:
        operation["x-policy"] = list(route.policies)
    if route.public:
        operation["security"] = []
    return operation


def _version_header(route: Route) -> dict[str, Any]:
    least = max(microversions.MIN, route.min_version)
    most = min(microversions.MAX, route.max_version or microversions.MAX)
    names = [f"{microversions.SERVICE_TYPE} {least[0]}.{minor}" for minor in range(least[1], most[1] + 1)]
    return {
        "name": microversions.HEADER,
        "in": "header",
        "required": least > microversions.MIN,
        "description": _VERSION_TEXT,
        "schema": {"type": "string", "enum": names},
    }


def _query_parameters(route: Route, schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    properties = schemas[route.query]["properties"] if route.query else {}
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]


def _answer(description: str) -> dict[str, Any]:
    headers = {
        microversions.HEADER: _reference("headers", "version"),
        "x-openstack-request-id": _reference("headers", "request-id"),
    }
    return {"description": description, "headers": headers}


def _success(route: Route) -> dict[str, Any]:
    answer = _answer("Success.")
    if route.response is not None:
        answer["content"] = _json(route.response)
    elif route.media is not None:
        answer["content"] = {route.media: {"schema": {"type": "string"}}}
    return answer


def _begun() -> dict[str, Any]:
    # Whether there is a body depends on the version, which a description of content cannot say.
    return _answer(
        "Accepted and not done yet. "
        f"From {microversions.OPERATIONS} on the body is a document of schema 'operations'; before, there is none."
    )


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": _reference("schemas", schema)}}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
