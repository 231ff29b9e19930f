# SPDX-License-Identifier: Apache-2.0
"""Rules of datastores and their versions."""

from collections.abc import Iterable

from oslo_policy import policy

from trove.policies import base

_VERSION = "/datastores/{datastore}/versions/{version}"


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return the rules of this module."""
    return [
        base.rule("datastore:index", base.ANYBODY, "List datastores.", [("GET", "/datastores")]),
        base.rule("datastore:show", base.ANYBODY, "Show a datastore.", [("GET", "/datastores/{datastore}")]),
        base.rule(
            "datastore:delete",
            base.ADMIN,
            "Delete a datastore without versions.",
            [("DELETE", "/datastores/{datastore}")],
        ),
        base.rule(
            "datastore:version_index",
            base.ANYBODY,
            "List a datastore's versions.",
            [("GET", "/datastores/{datastore}/versions")],
        ),
        base.rule("datastore:version_show", base.ANYBODY, "Show a datastore version.", [("GET", _VERSION)]),
        base.rule(
            "datastore:version_show_by_uuid",
            base.ANYBODY,
            "Show a datastore version by its id alone.",
            [("GET", "/datastores/versions/{version}")],
        ),
        base.rule(
            "datastore:list_associated_flavors",
            base.ANYBODY,
            "List the flavors a datastore version may use.",
            [("GET", f"{_VERSION}/flavors")],
        ),
        base.rule(
            "datastore:list_associated_volume_types",
            base.ANYBODY,
            "List the volume types a datastore version may use.",
            [("GET", f"{_VERSION}/volume-types")],
        ),
    ]
