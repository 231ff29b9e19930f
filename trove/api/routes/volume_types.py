# SPDX-License-Identifier: Apache-2.0
"""Volume types."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

ROUTES = (
    R("GET", f"{P}/volume-types", "volume_types:index", "volume_type:index", response="volume_types"),
    R("GET", f"{P}/volume-types/{{volume_type}}", "volume_types:show", "volume_type:show", response="volume_type"),
)
