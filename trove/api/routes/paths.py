# SPDX-License-Identifier: Apache-2.0
"""Paths that routes of several nouns begin with."""

P = "/v1.0/{project_id}"
INSTANCES = f"{P}/instances"
INSTANCE = f"{INSTANCES}/{{instance_id}}"
DATASTORES = f"{P}/datastores"
DATASTORE = f"{DATASTORES}/{{datastore}}"
VERSION = f"{DATASTORE}/versions/{{version}}"
