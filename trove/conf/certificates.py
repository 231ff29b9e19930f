# SPDX-License-Identifier: Apache-2.0
"""[certificates]: the control plane's own certificate authority."""

from typing import Any

from oslo_config import cfg

GROUP = "certificates"

OPTS = [
    cfg.StrOpt(
        "directory",
        help="Directory of the certificate authority, made with its key when 'trove-manage certificate renew' first "
        "needs it. Only the account that runs this command may enter it.",
    ),
    cfg.IntOpt(
        "validity_days",
        default=90,
        min=1,
        max=825,
        help="Days that a certificate is good. It is renewed when less than a third of them is left.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
