# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: data volumes. Names are those operators already know."""

from typing import Any

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "cinder_volume_type",
        help="Volume type, by name or id, of an instance whose request names none. It must be one of those that "
        "GET /volume-types shows. Without it the provider chooses, unless the datastore version is restricted to "
        "exactly one type, which is then taken.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS)]
