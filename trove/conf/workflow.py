# SPDX-License-Identifier: Apache-2.0
"""[workflow]: workers and leases."""

from typing import Any

from oslo_config import cfg

GROUP = "workflow"

OPTS = [
    cfg.IntOpt(
        "threads", default=4, min=1, help="Threads of a taskmanager that run workflow steps. Waiting holds no thread."
    ),
    cfg.FloatOpt(
        "lease_ttl",
        default=30.0,
        min=1.0,
        help="Seconds after which another worker may take over the workflows of a worker "
        "that stopped renewing its lease. Renewal happens three times within this period.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=2.0,
        min=0.05,
        help="Seconds between two looks for due workflows when no hint arrives. "
        "Hints make this rare; a lost hint costs at most this long.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
