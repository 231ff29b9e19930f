# SPDX-License-Identifier: Apache-2.0
"""Rules of the superuser of an instance."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ROOT = "/instances/{instance_id}/root"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule(
            "instance:extension:root:index",
            base.READER,
            "See whether the superuser is or was enabled.",
            [("GET", _ROOT)],
        ),
        base.rule(
            "instance:extension:root:create",
            base.MEMBER,
            "Enable the superuser, or give it a new password.",
            [("POST", _ROOT)],
        ),
        base.rule("instance:extension:root:delete", base.MEMBER, "Disable the superuser.", [("DELETE", _ROOT)]),
    ]
