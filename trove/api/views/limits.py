# SPDX-License-Identifier: Apache-2.0
"""Limits as clients know them: one absolute block, then the rate rules."""

from collections.abc import Mapping
from typing import Any

from trove.api.rates import Standing
from trove.common import clock
from trove.domain import quota


def absolute(limits: Mapping[str, int]) -> dict[str, Any]:
    """Return the absolute block; -1 means no limit."""
    return {
        "verb": "ABSOLUTE",
        "max_instances": limits[quota.INSTANCES],
        "max_ram": limits[quota.RAM],
        "max_backups": limits[quota.BACKUPS],
        "max_volumes": limits[quota.VOLUMES],
    }


def rate(standing: Standing) -> dict[str, Any]:
    """Return one rate rule and how the project stands with it."""
    rule = standing.rule
    return {
        "verb": rule.verb,
        "uri": rule.uri,
        "regex": rule.regex,
        "value": rule.value,
        "remaining": standing.remaining,
        "unit": "MINUTE",
        "nextAvailable": clock.isoformat(standing.next_available) + "Z",
    }
