# SPDX-License-Identifier: Apache-2.0
"""The logs of an instance."""

from trove.api.routes.paths import INSTANCE
from trove.api.routes.route import Route as R

LOG = f"{INSTANCE}/log"

ROUTES = (
    R("GET", LOG, "logs:index", "instance:guest_log_list", response="logs"),
    R(
        "POST",
        LOG,
        "logs:change",
        ("instance:guest_log_list", "instance:guest_log_action"),
        request="log.change",
        response="log",
    ),
    R(
        "GET",
        f"{LOG}/{{log_name}}/content",
        "logs:content",
        "instance:guest_log_list",
        min_version=(1, 2),
        media="text/plain; charset=utf-8",
    ),
)
