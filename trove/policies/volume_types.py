# SPDX-License-Identifier: Apache-2.0
"""Rules of volume types."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("volume_type:index", base.ANYBODY, "List volume types.", [("GET", "/volume-types")]),
        base.rule("volume_type:show", base.ANYBODY, "Show a volume type.", [("GET", "/volume-types/{volume_type}")]),
    ]
