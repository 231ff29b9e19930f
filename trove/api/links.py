# SPDX-License-Identifier: Apache-2.0
"""Links in documents: where a resource lives, as the client addressed us."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def base_url(environ: Mapping[str, Any], public_endpoint: str | None) -> str:
    """Return scheme and host that links begin with, without a slash at the end.

    :param public_endpoint: what the operator says; else the URL the request was addressed to.
    """
    if public_endpoint:
        return public_endpoint.rstrip("/")
    host = environ.get("HTTP_HOST")
    if not host:
        host = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return f"{environ['wsgi.url_scheme']}://{host}{environ.get('SCRIPT_NAME', '').rstrip('/')}"


def resource(base: str, project_id: str, collection: str, resource_id: str) -> list[dict[str, str]]:
    """Return the two links of a resource.

    :param collection: path below the project, such as ``instances``.
    """
    path = f"{collection}/{quote(resource_id, safe='')}"
    return [
        {"href": f"{base}/v1.0/{quote(project_id, safe='')}/{path}", "rel": "self"},
        {"href": f"{base}/{path}", "rel": "bookmark"},
    ]


def of_collection(name: str) -> str:
    """Return the name of the second member with the links of a page of the collection ``name``."""
    return f"{name}_links"
