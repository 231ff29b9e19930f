# SPDX-License-Identifier: Apache-2.0
"""Backups, and where they are kept."""

from trove.api.routes.paths import INSTANCE, P
from trove.api.routes.route import Route as R

BACKUPS = f"{P}/backups"
BACKUP = f"{BACKUPS}/{{backup_id}}"
STRATEGIES = f"{P}/backup_strategies"

ROUTES = (
    R(
        "GET",
        BACKUPS,
        "backups:index",
        ("backup:index", "backup:index:all_projects"),
        query="backup.query",
        response="backups",
    ),
    R("POST", BACKUPS, "backups:create", "backup:create", status=202, request="backup.create", lacks="backups"),
    R("GET", BACKUP, "backups:show", "backup:show", lacks="backups"),
    R("DELETE", BACKUP, "backups:delete", "backup:delete", status=202, lacks="backups"),
    R("GET", f"{INSTANCE}/backups", "backups:of_instance", "instance:backups", query="page", response="backups"),
    R(
        "GET",
        STRATEGIES,
        "backup_strategies:index",
        "backup_strategy:index",
        query="backup_strategy.query",
        response="backup_strategies",
    ),
    R(
        "POST",
        STRATEGIES,
        "backup_strategies:create",
        "backup_strategy:create",
        status=202,
        request="backup_strategy.create",
        lacks="backups",
    ),
    R(
        "DELETE",
        STRATEGIES,
        "backup_strategies:delete",
        "backup_strategy:delete",
        status=202,
        query="backup_strategy.query",
    ),
)
