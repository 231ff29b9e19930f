# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: what is told to billing and auditing systems."""

from typing import Any

from oslo_config import cfg, types

#: The library's group, with the drivers and topics.
GROUP = "oslo_messaging_notifications"

OPTS = [
    cfg.Opt(
        "notification_service_id",
        type=types.Dict(types.String()),
        default={},
        help="Id of the service that a billing system knows each datastore by, as manager:id pairs separated by "
        "commas. It stands as service_id in the usage events.",
    ),
    cfg.BoolOpt(
        "exists_notifications",
        default=False,
        help="Send trove.instance.exists for every instance once in each exists_notification_interval.",
    ),
    cfg.StrOpt(
        "exists_notification_transformer",
        deprecated_for_removal=True,
        deprecated_reason="Its value named a class. Setting it at all turns exists_notifications on.",
        help="Turns exists_notifications on, as it did in existing deployments.",
    ),
    cfg.IntOpt(
        "exists_notification_interval",
        default=3600,
        min=10,
        help="Seconds that one trove.instance.exists covers.",
    ),
    cfg.IntOpt(
        "quota_notification_interval",
        min=10,
        help="Seconds between two dbaas.quota events for each project and resource. Not sent unless set.",
    ),
]


def enabled(conf: cfg.ConfigOpts) -> bool:
    """Tell whether the operator wants notifications: ``[oslo_messaging_notifications] driver`` names one."""
    return any(driver not in ("", "noop") for driver in conf[GROUP].driver)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register our own options; :mod:`trove.conf.messaging` registers the library's."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS)]
