# SPDX-License-Identifier: Apache-2.0
"""Rules of instances and the actions on them."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/instances"
_ONE = "/instances/{instance_id}"
_ACTION = ("POST", f"{_ONE}/action")


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    owner = base.RULE_ADMIN_OR_OWNER
    return [
        base.rule("instance:index", owner, "List instances.", [("GET", _ALL)]),
        base.rule("instance:detail", owner, "List instances with details.", [("GET", f"{_ALL}/detail")]),
        base.rule("instance:create", owner, "Create an instance.", [("POST", _ALL)]),
        base.rule("instance:show", owner, "Show an instance.", [("GET", _ONE)]),
        base.rule(
            "instance:update", owner, "Change an instance's name, access or version.", [("PUT", _ONE), ("PATCH", _ONE)]
        ),
        base.rule("instance:delete", owner, "Delete an instance.", [("DELETE", _ONE)]),
        base.rule("instance:restart", owner, "Restart the database server of an instance.", [_ACTION]),
        base.rule("instance:resize_volume", owner, "Grow the volume of an instance.", [_ACTION]),
        base.rule("instance:resize_flavor", owner, "Give an instance another flavor.", [_ACTION]),
        base.rule(
            "instance:reset_status",
            base.RULE_ADMIN,
            "Give up what is in progress on an instance and reset its status.",
            [_ACTION],
        ),
        base.rule(
            "instance:force_delete", owner, "Reset an instance that is to be deleted whatever its status.", [_ACTION]
        ),
    ]
