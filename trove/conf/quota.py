# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: default quotas and per-instance caps; the names are those operators already have in ``trove.conf``."""

from typing import Any

from oslo_config import cfg

OPTS = [
    cfg.IntOpt(
        "max_instances_per_tenant", default=10, min=-1, help="Instances one project may have. -1 means no limit."
    ),
    cfg.IntOpt(
        "max_ram_per_tenant",
        default=-1,
        min=-1,
        help="Memory in MiB that the instances of one project may have together. -1 means no limit.",
    ),
    cfg.IntOpt(
        "max_volumes_per_tenant",
        default=40,
        min=-1,
        help="GiB of data volumes one project may have together. -1 means no limit.",
    ),
    cfg.IntOpt("max_backups_per_tenant", default=50, min=-1, help="Backups one project may have. -1 means no limit."),
    cfg.IntOpt(
        "max_accepted_volume_size",
        default=10,
        min=1,
        help="Largest data volume of one instance in GiB. A larger request is refused with 413, as clients expect.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS)]


def default_limits(conf: cfg.ConfigOpts) -> dict[str, int]:
    """Return the default limit of each quota resource."""
    return {
        "instances": conf.max_instances_per_tenant,
        "ram": conf.max_ram_per_tenant,
        "volumes": conf.max_volumes_per_tenant,
        "backups": conf.max_backups_per_tenant,
    }
