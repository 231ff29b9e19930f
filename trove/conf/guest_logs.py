# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT] and one group per datastore: which logs of an instance can be published, and how."""

from typing import Any

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "guest_log_container_name",
        default="database_logs",
        help="Container that logs are published to, in the account of the project that owns the instance.",
    ),
    cfg.IntOpt(
        "guest_log_limit",
        default=1000000,
        min=1024,
        max=16 * 1024 * 1024,
        help="Largest object of a published log in bytes; a longer log is split after a line. Guests upload each "
        "through the conductor within 15 seconds.",
    ),
    cfg.IntOpt(
        "guest_log_expiry",
        default=2592000,
        min=60,
        help="Seconds after which a published object is removed.",
    ),
    cfg.IntOpt(
        "guest_log_publication_limit",
        default=256 * 1024 * 1024,
        min=1024,
        help="Most bytes that one publication of a log uploads. What is left over is published by the next.",
    ),
    cfg.IntOpt(
        "guest_log_instance_limit",
        default=1024 * 1024 * 1024,
        min=-1,
        help="Bytes that the published logs of one instance may take in the object store. They count until they are "
        "discarded or expire (guest_log_expiry); an object counts for at least 4096. A publication that finds no room "
        "is refused. -1 means no limit.",
    ),
    cfg.IntOpt(
        "guest_log_project_limit",
        default=8 * 1024 * 1024 * 1024,
        min=-1,
        help="Bytes that the published logs of one project may take in the object store, those of instances that were "
        "deleted included; see guest_log_instance_limit. -1 means no limit.",
    ),
]

#: What owners see of a datastore whose group does not say otherwise.
EXPOSED = ("general", "slow_query")

#: Datastores with a group of their own.
DATASTORES = ("mariadb", "mysql", "postgresql", "redis", "valkey")

DATASTORE_OPTS = [
    cfg.ListOpt(
        "guest_log_exposed_logs",
        default=list(EXPOSED),
        help="Logs of this datastore that owners of instances see and may publish. Administrators see all. 'error' "
        "and 'guest' (the agent's own) may tell of the machine and are therefore not among the defaults.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options."""
    conf.register_opts(OPTS)
    for name in DATASTORES:
        conf.register_opts(DATASTORE_OPTS, name)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS), *((name, DATASTORE_OPTS) for name in DATASTORES)]


def exposed(conf: cfg.ConfigOpts, datastore: str) -> frozenset[str]:
    """Return the names of the logs that owners see, for a datastore by the name of its plugin."""
    if datastore not in DATASTORES:
        return frozenset(EXPOSED)
    return frozenset(conf[datastore].guest_log_exposed_logs)
