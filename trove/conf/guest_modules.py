# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: modules: which types there are, and how fast they are applied again."""

from typing import Any

from oslo_config import cfg, types

OPTS = [
    cfg.ListOpt(
        "module_types",
        item_type=types.String(regex=r"^[a-z0-9_]{1,64}$"),
        default=["ping", "new_relic_license"],
        help="Types of modules that can be made. The agent brings drivers for the defaults; add a type when its driver "
        "is installed in the images of the guests, in the entry-point group trove.guest_modules.",
    ),
    cfg.IntOpt(
        "modules_page_size",
        default=20,
        min=1,
        max=1000,
        help="Instances per page of those that have a module, also the most a client can ask for.",
    ),
    cfg.IntOpt(
        "module_reapply_max_batch_size",
        default=50,
        min=1,
        max=1000,
        help="Most instances that are asked at the same time to apply a module again; what is used when a request "
        "does not say.",
    ),
    cfg.IntOpt(
        "module_reapply_min_batch_delay",
        default=2,
        min=1,
        help="Least seconds between two such batches; what is used when a request does not say.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", OPTS)]
