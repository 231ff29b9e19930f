# SPDX-License-Identifier: Apache-2.0
"""Schemas of security groups, of which this service has none."""

from trove.api.schemas import atoms

SCHEMAS = {"security_groups": atoms.empty_collection("security_groups")}
