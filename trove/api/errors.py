# SPDX-License-Identifier: Apache-2.0
"""Errors as clients see them: a JSON object with exactly one key that names the fault.

``{"badRequest": {"code": 400, "message": "…"}}``; from version 1.1 also ``symbol``, which programs may depend on for
ever. What was not foreseen becomes ``instanceFault`` with an identifier that also stands in the log; its details are
never shown.
"""

import logging
from typing import Any

from trove.api import microversions
from trove.common import exception, ids

LOG = logging.getLogger(__name__)

#: The envelope key of each status, as existing clients know them.
KEYS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflict",
    413: "overLimit",
    415: "badMediaType",
    422: "unprocessableEntity",
    429: "overLimit",
    500: "serverError",
    501: "notImplemented",
    503: "serviceUnavailable",
}
UNCAUGHT_KEY = "instanceFault"
UNCAUGHT_SYMBOL = "internal.uncaught"


def document(error: exception.TroveError, version: microversions.Version) -> dict[str, Any]:
    """Return the body that tells a client of ``error``."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if isinstance(error, exception.RateLimited):
        body["details"] = error.details or error.message
        body["retryAfter"] = str(error.retry_after)
    if version >= microversions.STRICT:
        body["symbol"] = error.symbol
    return {KEYS[error.code]: body}


def headers(error: exception.TroveError) -> dict[str, str]:
    """Return the headers that belong to ``error``: when to come back, or what is allowed."""
    if isinstance(error, exception.RateLimited):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, exception.MethodNotAllowed):
        return {"Allow": ", ".join(error.allow)}
    return {}


def uncaught(version: microversions.Version) -> dict[str, Any]:
    """Log the exception being handled under a new identifier, and return the body that tells a client only that
    identifier."""
    error_id = ids.new_id()
    LOG.exception("Uncaught exception, error id %s", error_id)
    body: dict[str, Any] = {
        "code": 500,
        "message": f"The service failed to process the request. Tell the operator this error id: {error_id}.",
    }
    if version >= microversions.STRICT:
        body["symbol"] = UNCAUGHT_SYMBOL
    return {UNCAUGHT_KEY: body}
