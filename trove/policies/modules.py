# SPDX-License-Identifier: Apache-2.0
"""Rules of modules, and of the modules of instances."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/modules"
_ONE = "/modules/{module_id}"
_OF_INSTANCE = "/instances/{instance_id}/modules"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("module:index", base.READER, "List modules.", [("GET", _ALL)]),
        base.rule("module:show", base.READER, "Show a module.", [("GET", _ONE)]),
        base.rule(
            "module:instances", base.READER, "List the instances that have a module.", [("GET", f"{_ONE}/instances")]
        ),
        base.rule("module:create", base.MEMBER, "Create a module.", [("POST", _ALL)]),
        base.rule("module:update", base.MEMBER, "Change a module.", [("PUT", _ONE)]),
        base.rule("module:delete", base.MEMBER, "Delete a module.", [("DELETE", _ONE)]),
        base.rule(
            "module:reapply",
            base.MEMBER,
            "Apply a module again to the instances that have it.",
            [("PUT", f"{_ONE}/instances")],
        ),
        base.rule("instance:module_list", base.READER, "List the modules of an instance.", [("GET", _OF_INSTANCE)]),
        base.rule(
            "instance:module_apply",
            base.MEMBER,
            "Apply modules to an instance, or have them applied to a new one.",
            [("POST", _OF_INSTANCE), ("POST", "/instances")],
        ),
        base.rule(
            "instance:module_remove",
            base.MEMBER,
            "Remove a module from an instance.",
            [("DELETE", f"{_OF_INSTANCE}/{{module_id}}")],
        ),
    ]
