# SPDX-License-Identifier: Apache-2.0
"""What a handler gets and gives.

When a handler runs, the caller is known, allowed by the route's policy, and the body and query have passed their
schemas; so a handler only looks things up, decides, writes in one transaction and hands a document to its view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trove.api.microversions import Version
    from trove.api.rates import RateLimiter
    from trove.api.routes import Route
    from trove.api.services import Services
    from trove.api.waiting import Wait, Waits
    from trove.common.context import RequestContext
    from trove.objects.scope import Scope


@dataclass(frozen=True)
class Reply:
    """What a handler answers.

    :ivar body: the document, already rendered by a view; ``None`` sends an empty body.
    :ivar status: ``None`` takes the route's.
    :ivar stream: content that is no document, sent as it comes, of the media type of the route; instead of ``body``.
    :ivar wait: for what has to end before another reply can be made, which is sent instead; see
        :mod:`trove.api.waiting`.
    """

    body: Mapping[str, Any] | None = None
    status: int | None = None
    stream: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: Wait | None = None


@dataclass(frozen=True, eq=False)
class ApiRequest:
    """One request.

    :ivar path: path parameters, percent-decoded once.
    :ivar query: validated query parameters, typed as their schema says.
    :ivar body: the validated body; ``None`` when the route takes none or an optional one was not sent.
    :ivar parks: whether the server lets a request wait without a thread.
    :ivar base_url: scheme and host the client used, or option ``public_endpoint``; no slash at the end.
    """

    context: RequestContext
    version: Version
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    services: Services
    base_url: str
    route: Route
    rates: RateLimiter
    waits: Waits
    parks: bool = False

    @property
    def project_id(self) -> str:
        """The caller's project, which is the one in the path."""
        return self.context.project_id

    @property
    def scope(self) -> Scope:
        """What a look-up by id may find: everything for administrators, the caller's project for everybody else."""
        from trove.objects.scope import Scope

        return Scope.ALL if self.context.is_admin else Scope.project(self.context.project_id)

    def authorize(self, rule: str, owner: str | None = None) -> None:
        """Check a rule beyond the route's own, for an object of project ``owner`` (default: the caller's).

        :raises Forbidden: when policy refuses; the message names the rule.
        """
        self.services.enforcer.require(self.context, rule, owner or self.context.project_id)
