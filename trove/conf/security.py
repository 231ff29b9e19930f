# SPDX-License-Identifier: Apache-2.0
"""[security]: the key that protects stored secrets."""

from typing import Any

from oslo_config import cfg

GROUP = "security"

OPTS = [
    cfg.StrOpt(
        "key_encryption_key_file",
        help="File with the key-encryption key: 64 hexadecimal digits, mode 0600. Every service process of one "
        "deployment needs the same key, because it protects guest keys, commands and passwords in the database. There "
        "is no default, and the services refuse to start without it. Make one with: "
        "openssl rand -hex 32 > FILE && chmod 600 FILE",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
