# SPDX-License-Identifier: Apache-2.0
"""Rules of datastore versions as operators make and change them."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/mgmt/datastore-versions"
_ONE = f"{_ALL}/{{version}}"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("mgmt:datastore_version:index", base.ADMIN, "List all datastore versions.", [("GET", _ALL)]),
        base.rule("mgmt:datastore_version:create", base.ADMIN, "Make a datastore version.", [("POST", _ALL)]),
        base.rule("mgmt:datastore_version:show", base.ADMIN, "Show any datastore version.", [("GET", _ONE)]),
        base.rule("mgmt:datastore_version:edit", base.ADMIN, "Change a datastore version.", [("PATCH", _ONE)]),
        base.rule("mgmt:datastore_version:delete", base.ADMIN, "Delete a datastore version.", [("DELETE", _ONE)]),
    ]
