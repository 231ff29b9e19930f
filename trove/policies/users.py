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
    owner = base.RULE_ADMIN_OR_OWNER
    return [
        base.rule("instance:extension:user:index", owner, "List the users of an instance.", [("GET", _ALL)]),
        base.rule(
            "instance:extension:user:create",
            owner,
            "Create users, alone or with the instance.",
            [("POST", _ALL), ("POST", _ONE), ("POST", "/instances")],
        ),
        base.rule(
            "instance:extension:user:update_all", owner, "Change the passwords of several users.", [("PUT", _ALL)]
        ),
        base.rule("instance:extension:user:show", owner, "Show a user.", [("GET", _ONE)]),
        base.rule("instance:extension:user:update", owner, "Change a user's name, host or password.", [("PUT", _ONE)]),
        base.rule("instance:extension:user:delete", owner, "Delete a user.", [("DELETE", _ONE)]),
        base.rule(
            "instance:extension:user_access:index", owner, "List the databases a user may use.", [("GET", _ACCESS)]
        ),
        base.rule(
            "instance:extension:user_access:update", owner, "Let a user use further databases.", [("PUT", _ACCESS)]
        ),
        base.rule(
            "instance:extension:user_access:delete",
            owner,
            "Take a database from a user.",
            [("DELETE", f"{_ACCESS}/{{database_name}}")],
        ),
    ]
