# SPDX-License-Identifier: Apache-2.0
"""The limits of a project."""

from trove.api.routes.paths import P
from trove.api.routes.route import Route as R

ROUTES = (
    R("GET", f"{P}/limits", "limits:index", "limits:index", response="limits"),
)
