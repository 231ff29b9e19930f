# SPDX-License-Identifier: Apache-2.0
"""[object_store]: where published logs are kept."""

from typing import Any

from oslo_config import cfg

GROUP = "object_store"

OPTS = [
    cfg.StrOpt(
        "driver",
        default="none",
        choices=[
            ("none", "There is no store: logs cannot be published."),
            ("filesystem", "A directory of this host, for a service on one host."),
            (
                "swift",
                "Swift, in the accounts of the projects, with the service user of [service_credentials], which needs "
                "the role that Swift lets into every account (reseller_admin_role, usually ResellerAdmin).",
            ),
        ],
        help="What keeps published logs. The API, the taskmanagers and the conductors must be given the same.",
    ),
    cfg.StrOpt(
        "path",
        help="Directory of the driver 'filesystem', which only the service's account may enter. All processes of the "
        "service must see the same one.",
    ),
    cfg.StrOpt(
        "swift_account_prefix",
        default="AUTH_",
        help="What Swift puts in front of a project's id to name its account: reseller_prefix of its keystoneauth.",
    ),
    cfg.StrOpt(
        "swift_interface",
        default="internal",
        choices=["public", "internal", "admin"],
        help="Which of Swift's endpoints in the service catalogue is used.",
    ),
    cfg.FloatOpt(
        "swift_timeout", default=60.0, min=1.0, help="Seconds without an answer after which Swift counts as away."
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
