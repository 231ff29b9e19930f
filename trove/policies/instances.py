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
    return [
        base.rule("instance:index", base.READER, "List instances.", [("GET", _ALL)]),
        base.rule("instance:detail", base.READER, "List instances with details.", [("GET", f"{_ALL}/detail")]),
        base.rule("instance:create", base.MEMBER, "Create an instance.", [("POST", _ALL)]),
        base.rule("instance:show", base.READER, "Show an instance.", [("GET", _ONE), ("GET", f"{_ONE}/ssl")]),
        base.rule(
            "instance:update",
            base.MEMBER,
            "Change an instance's name, access or version.",
            [("PUT", _ONE), ("PATCH", _ONE), ("POST", f"{_ONE}/ssl")],
        ),
        base.rule(
            "instance:configuration",
            base.READER,
            "Show the configuration that an instance has without a group.",
            [("GET", f"{_ONE}/configuration")],
        ),
        base.rule("instance:delete", base.MEMBER, "Delete an instance.", [("DELETE", _ONE)]),
        base.rule("instance:restart", base.MEMBER, "Restart the database server of an instance.", [_ACTION]),
        base.rule("instance:resize_volume", base.MEMBER, "Grow the volume of an instance.", [_ACTION]),
        base.rule("instance:resize_flavor", base.MEMBER, "Give an instance another flavor.", [_ACTION]),
        base.rule(
            "instance:promote_to_replica_source", base.MEMBER, "Make a replica the source of its set.", [_ACTION]
        ),
        base.rule(
            "instance:eject_replica_source",
            base.MEMBER,
            "Replace the source of a set by its most current replica.",
            [_ACTION],
        ),
        base.rule(
            "instance:reset_status",
            base.ADMIN,
            "Give up what is in progress on an instance and reset its status.",
            [_ACTION],
        ),
        base.rule(
            "instance:force_delete",
            base.MANAGER,
            "Reset an instance that is to be deleted whatever its status.",
            [_ACTION],
        ),
    ]
