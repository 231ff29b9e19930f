# SPDX-License-Identifier: Apache-2.0
"""What a row of the table of routes says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One method on one path.

    :ivar path: literal segments and ``{parameters}``; a literal wins over a parameter in the same place.
    :ivar handler: ``module:function`` below ``trove.api.controllers``.
    :ivar policy: the rule checked before anything of the request is read. Of several, one must allow the call, and
        the handler checks the one that the body then asks for. ``None`` needs a ``reason``.
    :ivar status: status of success.
    :ivar request: schema of the body; ``None``: the body is not read.
    :ivar body_optional: whether the body may be left out.
    :ivar query: schema of the query.
    :ivar response: schema of the answer; ``None``: empty body.
    :ivar admin: a refusal by policy is 401 (not 403, which existing clients take for something else), because by
        default only administrators are allowed.
    :ivar lacks: the capability without which the call never succeeds in this release. It is routed, checked and then
        refused: 404 for a thing that cannot exist, 501 for one that cannot be made.
    :ivar media: media type of an answer that is no JSON document; ``None``: JSON.
    :ivar operations: whether what it begins are operations: from microversion 1.3 on the answer is 202 with them.
        Before that, 202 without a body says that it was accepted and is not done, also where ``status`` says it is.
    :ivar public: needs no authentication.
    :ivar reason: why there is no policy.
    """

    method: str
    path: str
    handler: str
    policy: str | tuple[str, ...] | None
    status: int = 200
    request: str | None = None
    query: str | None = None
    response: str | None = None
    min_version: tuple[int, int] = (1, 0)
    max_version: tuple[int, int] | None = None
    body_optional: bool = False
    admin: bool = False
    lacks: str | None = None
    media: str | None = None
    operations: bool = False
    public: bool = False
    reason: str = ""

    @property
    def policies(self) -> tuple[str, ...]:
        """The route's rules as a tuple."""
        if self.policy is None:
            return ()
        return (self.policy,) if isinstance(self.policy, str) else self.policy
