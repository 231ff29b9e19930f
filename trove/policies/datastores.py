# SPDX-License-Identifier: Apache-2.0
"""Rules of datastores and their versions."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_VERSION = "/datastores/{datastore}/versions/{version}"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    anybody = base.ANYBODY
    return [
        base.rule("datastore:index", anybody, "List datastores.", [("GET", "/datastores")]),
        base.rule("datastore:show", anybody, "Show a datastore.", [("GET", "/datastores/{datastore}")]),
        base.rule(
            "datastore:version_index",
            anybody,
            "List a datastore's versions.",
            [("GET", "/datastores/{datastore}/versions")],
        ),
        base.rule("datastore:version_show", anybody, "Show a datastore version.", [("GET", _VERSION)]),
        base.rule(
            "datastore:version_show_by_uuid",
            anybody,
            "Show a datastore version by its id alone.",
            [("GET", "/datastores/versions/{version}")],
        ),
        base.rule(
            "datastore:list_associated_flavors",
            anybody,
            "List the flavors a datastore version may use.",
            [("GET", f"{_VERSION}/flavors")],
        ),
        base.rule(
            "datastore:list_associated_volume_types",
            anybody,
            "List the volume types a datastore version may use.",
            [("GET", f"{_VERSION}/volume-types")],
        ),
    ]
