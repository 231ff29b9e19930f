# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: what every service process needs: host name, region, control bus."""

import socket
from typing import Any

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<host name>",
        help="Name of this host in lease owners and notifications; must differ between hosts.",
    ),
    cfg.StrOpt("region", default="RegionOne", help="Region that instances of this deployment report."),
    cfg.StrOpt("taskmanager_queue", default="taskmanager", help="Topic of the taskmanagers on the control bus."),
    cfg.StrOpt("conductor_queue", default="trove-conductor", help="Topic of the conductors on the control bus."),
    cfg.ListOpt(
        "availability_zones",
        default=[],
        help="Availability zones that a create request may name; any other is refused at once. When empty, every name "
        "is passed on to the provider, which may refuse it later.",
    ),
    cfg.StrOpt(
        "default_datastore",
        help="Datastore, by name or id, of a create request that names none. Without it such a request is refused.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS)]
