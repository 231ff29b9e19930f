# SPDX-License-Identifier: Apache-2.0
"""Rules of the users within an instance and what they may access."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/instances/{instance_id}/users"
_ONE = f"{_ALL}/{{user_name}}"
_ACCESS = f"{_ONE}/databases"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("instance:extension:user:index", base.READER, "List the users of an instance.", [("GET", _ALL)]),
        base.rule(
            "instance:extension:user:create",
            base.MEMBER,
            "Create users, alone or with the instance.",
            [("POST", _ALL), ("POST", _ONE), ("POST", "/instances")],
        ),
        base.rule(
            "instance:extension:user:update_all", base.MEMBER, "Change the passwords of several users.", [("PUT", _ALL)]
        ),
        base.rule("instance:extension:user:show", base.READER, "Show a user.", [("GET", _ONE)]),
        base.rule(
            "instance:extension:user:update", base.MEMBER, "Change a user's name, host or password.", [("PUT", _ONE)]
        ),
        base.rule("instance:extension:user:delete", base.MEMBER, "Delete a user.", [("DELETE", _ONE)]),
        base.rule(
            "instance:extension:user_access:index",
            base.READER,
            "List the databases a user may use.",
            [("GET", _ACCESS)],
        ),
        base.rule(
            "instance:extension:user_access:update",
            base.MEMBER,
            "Let a user use further databases.",
            [("PUT", _ACCESS)],
        ),
        base.rule(
            "instance:extension:user_access:delete",
            base.MEMBER,
            "Take a database from a user.",
            [("DELETE", f"{_ACCESS}/{{database_name}}")],
        ),
    ]
