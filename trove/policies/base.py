# SPDX-License-Identifier: Apache-2.0
"""Rules that other rules refer to, and how rules are written.

Defaults name personas, the roles that Keystone makes at bootstrap: an administrator is a manager too, a manager a
member, a member a reader. A role counts in the project of the token only; administrators act on every project, and so
do administrators of the system.

Before there were personas, whoever had any role in a project could do everything in it. Where a persona narrows that,
the old default stays as a deprecated one until option ``[oslo_policy] enforce_new_defaults`` is set: it goes on for
members, and for callers whose roles are none of the personas'. A mere reader or service is never more than that.
"""

from collections.abc import Iterable, Sequence

from oslo_policy import policy

PROJECT = "/v1.0/{project_id}"

#: Defaults of a rule, from the narrowest to the widest.
ADMIN = "rule:admin"
MANAGER = "rule:project_manager_or_admin"
MEMBER = "rule:project_member_or_admin"
READER = "rule:project_reader_or_admin"
#: Anybody who is authenticated.
ANYBODY = ""

RULE_ADMIN = ADMIN
#: What :data:`MANAGER`, :data:`MEMBER` and :data:`READER` were before; for rules that have no persona.
RULE_ADMIN_OR_OWNER = "rule:admin_or_owner"

#: Every rule holds for tokens of a project and for those of the system.
SCOPES = ["project", "system"]

_NARROWED = {MANAGER, MEMBER, READER}
_OLD_DEFAULT = "rule:admin_or_owner and (role:member or not (role:reader or role:service))"
_SINCE = "trove 26"
_REASON = "Defaults tell readers, members and managers of a project apart."


def rule(
    name: str, check: str, description: str, operations: Sequence[tuple[str, str]]
) -> policy.DocumentedRuleDefault:
    """Return a documented rule.

    :param check: :data:`READER` for what changes nothing, :data:`MEMBER` for what changes something,
        :data:`MANAGER` for what a project keeps to a few, :data:`ADMIN` for operators, :data:`ANYBODY` for catalogues.
    :param operations: method and path below the project, of every call it governs.
    """
    calls = [{"method": method, "path": PROJECT + path} for method, path in operations]
    old = None
    if check in _NARROWED:
        old = policy.DeprecatedRule(name, _OLD_DEFAULT, deprecated_reason=_REASON, deprecated_since=_SINCE)
    return policy.DocumentedRuleDefault(name, check, description, calls, deprecated_rule=old, scope_types=SCOPES)


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        policy.RuleDefault("admin", "role:admin or is_admin:True", "Administrators, and the service itself."),
        policy.RuleDefault(
            "admin_or_owner",
            "rule:admin or project_id:%(tenant)s",
            "Administrators, and whoever has any role in the owning project.",
        ),
        policy.RuleDefault(
            "project_manager_or_admin",
            "rule:admin or (role:manager and project_id:%(project_id)s)",
            "Administrators, and managers of the owning project.",
        ),
        policy.RuleDefault(
            "project_member_or_admin",
            "rule:admin or (role:member and project_id:%(project_id)s)",
            "Administrators, and members of the owning project.",
        ),
        policy.RuleDefault(
            "project_reader_or_admin",
            "rule:admin or (role:reader and project_id:%(project_id)s)",
            "Administrators, and readers of the owning project.",
        ),
        policy.RuleDefault("default", RULE_ADMIN_OR_OWNER, "What holds for a rule that is not defined."),
        policy.RuleDefault("context_is_admin", "role:admin", "Who counts as an administrator where no rule is asked."),
    ]
