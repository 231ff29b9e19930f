# SPDX-License-Identifier: Apache-2.0
"""Rules of clusters."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/clusters"
_ONE = f"{_ALL}/{{cluster_id}}"
_ROOT = f"{_ONE}/root"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("cluster:index", base.READER, "List clusters.", [("GET", _ALL)]),
        base.rule("cluster:create", base.MEMBER, "Create a cluster.", [("POST", _ALL)]),
        base.rule("cluster:show", base.READER, "Show a cluster.", [("GET", _ONE)]),
        base.rule(
            "cluster:show_instance",
            base.READER,
            "Show a member of a cluster.",
            [("GET", f"{_ONE}/instances/{{member_id}}")],
        ),
        base.rule("cluster:delete", base.MEMBER, "Delete a cluster.", [("DELETE", _ONE)]),
        base.rule("cluster:action", base.MEMBER, "Grow, shrink, restart or change a cluster.", [("POST", _ONE)]),
        base.rule("cluster:reset-status", base.ADMIN, "Give up what is in progress on a cluster.", [("POST", _ONE)]),
        base.rule(
            "cluster:force_delete",
            base.MANAGER,
            "Reset a cluster that is to be deleted whatever its task.",
            [("POST", _ONE)],
        ),
        base.rule("cluster:extension:root:index", base.READER, "See the superuser of a cluster.", [("GET", _ROOT)]),
        base.rule("cluster:extension:root:create", base.MEMBER, "Enable it.", [("POST", _ROOT)]),
        base.rule("cluster:extension:root:delete", base.MEMBER, "Disable it.", [("DELETE", _ROOT)]),
    ]
