# SPDX-License-Identifier: Apache-2.0
"""Rules of the operations of an instance: what is and was in progress on it."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/instances/{instance_id}/operations"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("instance:operation:index", base.READER, "List the operations of an instance.", [("GET", _ALL)]),
        base.rule(
            "instance:operation:show",
            base.READER,
            "Show an operation with its steps.",
            [("GET", f"{_ALL}/{{operation_id}}")],
        ),
    ]
