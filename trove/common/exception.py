# SPDX-License-Identifier: Apache-2.0
"""Errors that cross a boundary.

Each class has an HTTP ``code``, a stable ``symbol`` that programs may depend on for ever (append only, never rename),
and a message that says what was wrong and what to do. ``details`` are for the operator and never shown to a tenant.
"""

from collections.abc import Sequence
from typing import ClassVar


class TroveError(Exception):
    """Base of all errors with a stable symbol.

    :param message: one sentence for the user, with the remedy.
    :param details: text for the operator, logged, never shown to a tenant.
    """

    code: ClassVar[int] = 500
    symbol: ClassVar[str] = "internal.error"
    default: ClassVar[str] = "The service failed to process the request."

    def __init__(self, message: str | None = None, *, details: str | None = None) -> None:
        self.message = message or self.default
        self.details = details
        super().__init__(self.message)


class BadRequest(TroveError):
    code = 400
    symbol = "request.invalid"
    default = "The request is invalid."


class ValidationFailed(BadRequest):
    """A request refused by its schema or an engine's rules; carries every reason at once."""

    symbol = "request.validation"

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("Validation error: " + "; ".join(self.reasons))


class Unauthorized(TroveError):
    code = 401
    symbol = "auth.required"
    default = "Authentication is required."


class AdminRequired(TroveError):
    """401, not 403: existing clients and tests expect it for management calls."""

    code = 401
    symbol = "auth.admin_required"
    default = "This call is for administrators."


class Forbidden(TroveError):
    code = 403
    symbol = "auth.forbidden"
    default = "You are not allowed to do this."


class NotFound(TroveError):
    code = 404
    symbol = "resource.not_found"
    default = "The resource was not found."


class MethodNotAllowed(TroveError):
    """``allow`` are the methods that the resource has."""

    code = 405
    symbol = "request.method"
    default = "The method is not allowed on this resource."

    def __init__(self, message: str | None = None, *, allow: Sequence[str] = ()) -> None:
        self.allow = tuple(allow)
        super().__init__(message)


class NotAcceptable(TroveError):
    code = 406
    symbol = "request.microversion"
    default = "The requested version is not supported."


class Conflict(TroveError):
    code = 409
    symbol = "resource.conflict"
    default = "The resource was changed by another request; repeat the request."


class StaleObject(Conflict):
    """A compare-and-set found another revision; the whole transaction must be repeated."""

    symbol = "resource.stale"


class QuotaExceeded(TroveError):
    """413, as existing clients expect."""

    code = 413
    symbol = "quota.exceeded"
    default = "The quota is exceeded."


class RequestTooLarge(TroveError):
    code = 413
    symbol = "request.too_large"
    default = "The request body is too large."


class RateLimited(TroveError):
    code = 413
    symbol = "rate.exceeded"
    default = "Too many requests."

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class AuthenticationThrottled(RateLimited):
    """Too many wrong passwords; this one was not looked at."""

    code = 429
    symbol = "auth.throttled"
    default = "Too many wrong passwords; wait before you try again."

    def __init__(self, message: str | None = None, *, retry_after: int) -> None:
        super().__init__(message or self.default, retry_after=retry_after)


class UnsupportedMediaType(TroveError):
    code = 415
    symbol = "request.media_type"
    default = "The content type must be application/json."


class UnprocessableEntity(TroveError):
    """The request is well formed but the resource's state does not allow it now."""

    code = 422
    symbol = "resource.state"
    default = "The resource's state does not allow this now."


class NotSupported(TroveError):
    """A datastore or a provider does not have the capability; the message names it."""

    code = 501
    symbol = "capability.missing"
    default = "The operation is not supported by this datastore."


class ServiceUnavailable(TroveError):
    code = 503
    symbol = "service.unavailable"
    default = "The service is temporarily unavailable; try again."
