# SPDX-License-Identifier: Apache-2.0
"""Rules of flavors."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("flavor:index", base.ANYBODY, "List flavors.", [("GET", "/flavors")]),
        base.rule("flavor:show", base.ANYBODY, "Show a flavor.", [("GET", "/flavors/{flavor_id}")]),
    ]
