# SPDX-License-Identifier: Apache-2.0
"""Who may do what: oslo.policy with the rules of :mod:`trove.policies`, overridden by the operator's ``policy.yaml``.

Targets are ``{"tenant": owner, "project_id": owner}``. A refusal is 403 and names the rule.
"""

import threading
from typing import Any

from oslo_config import cfg
from oslo_policy import policy

import trove.conf
from trove import policies
from trove.common import clock, exception
from trove.common.context import RequestContext

#: Seconds between two looks at the policy file; looking costs more than deciding.
RELOAD_INTERVAL = 2.0

_MAX_DECISIONS = 10_000

ADMIN_RULE = "context_is_admin"


class Enforcer(policy.Enforcer):  # type: ignore[misc]
    """oslo.policy's enforcer that looks for changed files at most every :data:`RELOAD_INTERVAL` seconds.

    Between two looks a decision is remembered for exactly the same caller, rule and owner: oslo.policy inspects the
    signature of every check it evaluates, which would be the dearest step of a read.
    """

    def __init__(self, conf: cfg.ConfigOpts, **kwargs: Any) -> None:
        super().__init__(conf, **kwargs)
        self._next_load = 0.0
        self._load_lock = threading.Lock()
        self._decisions: dict[Any, bool] = {}

    def load_rules(self, force_reload: bool = False) -> None:
        """Load the rules when they may have changed, and forget all decisions."""
        if force_reload or clock.monotonic() >= self._next_load:
            with self._load_lock:
                super().load_rules(force_reload)
                # A new dict, not an emptied one: a decision by the old rules may be on its way into it.
                self._decisions = {}
                self._next_load = clock.monotonic() + RELOAD_INTERVAL

    def allows(self, context: RequestContext, rule: str, owner: str | None) -> bool:
        """Tell whether ``rule`` lets the caller act on something of project ``owner``."""
        self.load_rules()
        decisions = self._decisions
        credentials = _credentials(context)
        key = (rule, owner, *(tuple(value) if isinstance(value, list) else value for value in credentials.values()))
        known = decisions.get(key)
        if known is None:
            known = bool(self.enforce(rule, {"tenant": owner, "project_id": owner}, credentials))
            if len(decisions) < _MAX_DECISIONS:
                decisions[key] = known
        return known

    def require(self, context: RequestContext, rule: str, owner: str | None) -> None:
        """Check ``rule``.

        :raises Forbidden: when it refuses.
        """
        if not self.allows(context, rule, owner):
            raise refusal(rule)

    def is_admin(self, context: RequestContext) -> bool:
        """Tell whether the caller is an administrator."""
        return self.allows(context, ADMIN_RULE, context.project_id)


def refusal(rule: str) -> exception.Forbidden:
    """Return the error for a refusal by ``rule``."""
    return exception.Forbidden(f"Policy does not allow {rule} to be performed.")


def _credentials(context: RequestContext) -> dict[str, Any]:
    # What oslo_context's to_policy_values() gives, without its costly wrapper that warns of old names.
    # Whoever has a role on the system has none in the project that the path happens to name.
    project_id = None if context.system_scope else context.project_id
    return {
        "user_id": context.user_id,
        "project_id": project_id,
        "tenant": project_id,
        "roles": context.roles,
        "is_admin": context.is_admin,
        "system_scope": context.system_scope,
        "domain_id": context.domain_id,
        "user_domain_id": context.user_domain_id,
        "project_domain_id": context.project_domain_id,
        "is_admin_project": context.is_admin_project,
        "service_roles": context.service_roles,
    }


def make_enforcer(conf: cfg.ConfigOpts) -> Enforcer:
    """Return an enforcer with all of Trove's rules."""
    enforcer = Enforcer(conf)
    # One warning for each rule at every start helps nobody; the guide and the release notes tell of the old defaults.
    enforcer.suppress_default_change_warnings = True
    enforcer.register_defaults(policies.list_rules())
    enforcer.load_rules()
    return enforcer


def policy_enforcer() -> Enforcer:
    """Entry point ``oslo.policy.enforcer``: for oslo.policy's command-line tools."""
    return make_enforcer(trove.conf.new())
