# SPDX-License-Identifier: Apache-2.0
"""Rules of security groups, which only old clients know."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/security-groups"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("security_group:index", base.READER, "List security groups.", [("GET", _ALL)]),
        base.rule("security_group:show", base.READER, "Show a security group.", [("GET", f"{_ALL}/{{group_id}}")]),
    ]
