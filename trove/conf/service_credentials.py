# SPDX-License-Identifier: Apache-2.0
"""[service_credentials]: the service's own user, for what it asks of other services of the cloud."""

from typing import Any

from oslo_config import cfg

GROUP = "service_credentials"

OPTS = [
    cfg.StrOpt("auth_url", help="Keystone's URL, ending in /v3."),
    cfg.StrOpt("username", help="Name of the user."),
    cfg.StrOpt("password", secret=True, help="Password of the user."),
    cfg.StrOpt("project_id", help="Project that the user works in; takes precedence over project_name."),
    cfg.StrOpt("project_name", help="Project that the user works in, by name."),
    cfg.StrOpt("user_domain_name", default="Default", help="Domain of the user."),
    cfg.StrOpt("project_domain_name", default="Default", help="Domain of the project."),
    cfg.StrOpt("region_name", default="RegionOne", help="Region whose endpoints are used."),
    cfg.StrOpt(
        "cafile", help="PEM of the authorities that sign the services' certificates. Default: the system's own."
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
