# SPDX-License-Identifier: Apache-2.0
"""Rules of the databases within an instance."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/instances/{instance_id}/databases"
_ONE = f"{_ALL}/{{database_name}}"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule(
            "instance:extension:database:index", base.READER, "List the databases of an instance.", [("GET", _ALL)]
        ),
        base.rule(
            "instance:extension:database:create",
            base.MEMBER,
            "Create databases, alone or with the instance.",
            [("POST", _ALL), ("POST", "/instances")],
        ),
        base.rule("instance:extension:database:show", base.READER, "Show a database.", [("GET", _ONE)]),
        base.rule("instance:extension:database:delete", base.MEMBER, "Delete a database.", [("DELETE", _ONE)]),
    ]
