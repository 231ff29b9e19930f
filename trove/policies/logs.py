# SPDX-License-Identifier: Apache-2.0
"""Rules of the logs of an instance."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_LOG = "/instances/{instance_id}/log"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule(
            "instance:guest_log_list",
            base.READER,
            "List the logs of an instance, see one, and read what was published of it.",
            [("GET", _LOG), ("POST", _LOG), ("GET", f"{_LOG}/{{log_name}}/content")],
        ),
        base.rule(
            "instance:guest_log_action",
            base.MEMBER,
            "Enable, disable, publish or discard a log of an instance.",
            [("POST", _LOG)],
        ),
    ]
