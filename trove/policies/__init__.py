# SPDX-License-Identifier: Apache-2.0
"""Policy rules: one module per resource, each with ``list_rules()``. Names of rules that operators already override
never change.

Every rule is used by a route, as main rule or as one the body may ask for; a test walks both ways.
"""

import functools
import importlib
import pkgutil
from collections.abc import Iterable

from oslo_policy import policy


def list_rules() -> Iterable[policy.RuleDefault]:
    """Entry point ``oslo.policy.policies``: all rules with their defaults."""
    return _all_rules()


@functools.cache
def _all_rules() -> tuple[policy.RuleDefault, ...]:
    # Whoever registers a rule gets a copy.
    modules = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return tuple(rule for name in modules for rule in importlib.import_module(f"{__name__}.{name}").list_rules())
