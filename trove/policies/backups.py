# SPDX-License-Identifier: Apache-2.0
"""Rules of backups and backup strategies."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/backups"
_ONE = f"{_ALL}/{{backup_id}}"
_STRATEGIES = "/backup_strategies"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("backup:index", base.READER, "List backups.", [("GET", _ALL)]),
        base.rule("backup:index:all_projects", base.ADMIN, "List the backups of other projects.", [("GET", _ALL)]),
        base.rule("backup:create", base.MEMBER, "Create a backup.", [("POST", _ALL)]),
        base.rule("backup:show", base.READER, "Show a backup.", [("GET", _ONE)]),
        base.rule("backup:delete", base.MEMBER, "Delete a backup.", [("DELETE", _ONE)]),
        base.rule(
            "instance:backups",
            base.READER,
            "List the backups of an instance.",
            [("GET", "/instances/{instance_id}/backups")],
        ),
        base.rule("backup_strategy:index", base.READER, "List backup strategies.", [("GET", _STRATEGIES)]),
        base.rule("backup_strategy:create", base.MEMBER, "Set a backup strategy.", [("POST", _STRATEGIES)]),
        base.rule("backup_strategy:delete", base.MEMBER, "Delete a backup strategy.", [("DELETE", _STRATEGIES)]),
    ]
