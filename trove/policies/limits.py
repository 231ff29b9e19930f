# SPDX-License-Identifier: Apache-2.0
"""Rules of limits."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [base.rule("limits:index", base.READER, "List the limits of a project.", [("GET", "/limits")])]
