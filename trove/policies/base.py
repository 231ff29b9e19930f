# SPDX-License-Identifier: Apache-2.0
"""Rules that other rules refer to, and how rules are written."""

from collections.abc import Iterable, Sequence

from oslo_policy import policy

PROJECT = "/v1.0/{project_id}"

RULE_ADMIN = "rule:admin"
RULE_ADMIN_OR_OWNER = "rule:admin_or_owner"
#: Anybody who is authenticated.
ANYBODY = ""


def rule(
    name: str, check: str, description: str, operations: Sequence[tuple[str, str]]
) -> policy.DocumentedRuleDefault:
    """Return a documented rule.

    :param operations: method and path below the project, of every call it governs.
    """
    calls = [{"method": method, "path": PROJECT + path} for method, path in operations]
    return policy.DocumentedRuleDefault(name, check, description, calls)


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        policy.RuleDefault("admin", "role:admin or is_admin:True", "Administrators, and the service itself."),
        policy.RuleDefault(
            "admin_or_owner",
            "rule:admin or project_id:%(tenant)s",
            "Administrators, and members of the owning project.",
        ),
        policy.RuleDefault("default", RULE_ADMIN_OR_OWNER, "What holds for a rule that is not defined."),
        policy.RuleDefault("context_is_admin", "role:admin", "Who counts as an administrator where no rule is asked."),
    ]
