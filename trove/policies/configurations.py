# SPDX-License-Identifier: Apache-2.0
"""Rules of configuration groups and of the parameters that they may set."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_ALL = "/configurations"
_ONE = "/configurations/{configuration_id}"
_VERSION = "/datastores/versions/{version}/parameters"
_OF_DATASTORE = "/datastores/{datastore}/versions/{version}/parameters"
_MANAGED = "/mgmt/datastores/versions/{version}/parameters"
_ONE_MANAGED = f"{_MANAGED}/{{parameter_name}}"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [*_groups(), *_parameters(), *_managed()]


def _groups() -> Iterable[policy.RuleDefault]:
    return [
        base.rule("configuration:index", base.READER, "List configuration groups.", [("GET", _ALL)]),
        base.rule("configuration:show", base.READER, "Show a configuration group.", [("GET", _ONE)]),
        base.rule(
            "configuration:instances",
            base.READER,
            "List the instances of a configuration group.",
            [("GET", f"{_ONE}/instances")],
        ),
        base.rule(
            "configuration:history",
            base.READER,
            "List what the values of a configuration group were before.",
            [("GET", f"{_ONE}/history")],
        ),
        base.rule("configuration:create", base.MEMBER, "Create a configuration group.", [("POST", _ALL)]),
        base.rule("configuration:update", base.MEMBER, "Replace a configuration group's values.", [("PUT", _ONE)]),
        base.rule("configuration:edit", base.MEMBER, "Change some values of a configuration group.", [("PATCH", _ONE)]),
        base.rule("configuration:delete", base.MEMBER, "Delete a configuration group.", [("DELETE", _ONE)]),
    ]


def _parameters() -> Iterable[policy.RuleDefault]:
    return [
        base.rule(
            "configuration-parameter:index",
            base.READER,
            "List the parameters that a configuration group may set.",
            [("GET", _OF_DATASTORE)],
        ),
        base.rule(
            "configuration-parameter:show",
            base.READER,
            "Show a parameter that a configuration group may set.",
            [("GET", f"{_OF_DATASTORE}/{{parameter_name}}")],
        ),
        base.rule(
            "configuration-parameter:index_by_version",
            base.READER,
            "List the parameters that a configuration group may set, of a version by its id alone.",
            [("GET", _VERSION)],
        ),
        base.rule(
            "configuration-parameter:show_by_version",
            base.READER,
            "Show a parameter that a configuration group may set, of a version by its id alone.",
            [("GET", f"{_VERSION}/{{parameter_name}}")],
        ),
    ]


def _managed() -> Iterable[policy.RuleDefault]:
    return [
        base.rule("mgmt:parameter:index", base.ADMIN, "List parameters, for operators.", [("GET", _MANAGED)]),
        base.rule("mgmt:parameter:show", base.ADMIN, "Show a parameter, for operators.", [("GET", _ONE_MANAGED)]),
        base.rule("mgmt:parameter:create", base.ADMIN, "Add a parameter to a version.", [("POST", _MANAGED)]),
        base.rule("mgmt:parameter:update", base.ADMIN, "Change what a parameter may be.", [("PUT", _ONE_MANAGED)]),
        base.rule("mgmt:parameter:delete", base.ADMIN, "Take a parameter away.", [("DELETE", _ONE_MANAGED)]),
    ]
