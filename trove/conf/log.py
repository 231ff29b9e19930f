# SPDX-License-Identifier: Apache-2.0
"""Logging: oslo.log's own options."""

from typing import Any

from oslo_config import cfg
from oslo_log import log


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register oslo.log's options."""
    log.register_options(conf)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Nothing of our own: oslo.log lists its options under its own namespace."""
    return []
