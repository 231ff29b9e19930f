# SPDX-License-Identifier: Apache-2.0
"""[oslo_policy]: oslo.policy's own options, among them where the operator's policy file is."""

from typing import Any

from oslo_config import cfg
from oslo_policy import opts


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register oslo.policy's group.

    The old defaults are in force beside the new ones until the operator has looked through the roles of all users: an
    existing configuration file goes on to mean what it meant. A new ``trove-standalone`` switches them off, and every
    example for a new deployment does.
    """
    for group, options in opts.list_opts():
        conf.register_opts(options, group)
    conf.set_default("enforce_new_defaults", False, group="oslo_policy")


def list_opts() -> list[tuple[str, list[Any]]]:
    """Nothing of our own: oslo.policy lists its options under its own namespace."""
    return []
