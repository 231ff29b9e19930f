# SPDX-License-Identifier: Apache-2.0
"""Who a caller is, once a strategy of :mod:`trove.api.authn` has found out."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """An authenticated caller.

    :ivar project_id: ``None`` when the project is the one in the path: with a strategy that believes everybody, and for
        callers whose roles are those of the whole system.
    :ivar roles: roles, with those they imply.
    :ivar system_scope: ``all`` for a token of the system.
    :ivar is_admin_project: whether the project is the administrators' one, where Keystone has one.
    :ivar service_roles: roles of the service that passes the caller's request on.
    """

    user_id: str
    project_id: str | None
    roles: tuple[str, ...]
    system_scope: str | None = None
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    is_admin_project: bool = True
    service_roles: tuple[str, ...] = ()


#: What a role includes, as Keystone has it; for the strategies without a Keystone.
IMPLIED_ROLES = {"admin": "manager", "manager": "member", "member": "reader"}


def with_implied(roles: Iterable[str]) -> tuple[str, ...]:
    """Return ``roles`` and those they imply.

    >>> with_implied(["auditor", "member"])
    ('auditor', 'member', 'reader')
    """
    found = list(roles)
    for role in found:  # grows while it is walked
        implied = IMPLIED_ROLES.get(role.lower())
        if implied is not None and implied not in found:
            found.append(implied)
    return tuple(found)
