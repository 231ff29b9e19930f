# SPDX-License-Identifier: Apache-2.0
"""[database]: oslo.db's own options."""

from typing import Any

from oslo_config import cfg
from oslo_db import options


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register oslo.db's group."""
    conf.register_opts(options.database_opts, "database")


def list_opts() -> list[tuple[str, list[Any]]]:
    """Nothing of our own: oslo.db lists its options under its own namespace."""
    return []
