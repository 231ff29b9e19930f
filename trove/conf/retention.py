# SPDX-License-Identifier: Apache-2.0
"""[retention]: how long what is over is kept."""

from typing import Any

from oslo_config import cfg

GROUP = "retention"

OPTS = [
    cfg.IntOpt(
        "workflow_days",
        default=30,
        min=0,
        mutable=True,
        help="Days that a workflow which has ended is kept, with its steps; 0 keeps all for ever. Users see them as "
        "the operations of an instance. The last one of each instance is kept as long as the instance. What is older "
        "is removed by the taskmanagers, at most a day late; trove-manage workflow purge does it at once.",
    ),
    cfg.IntOpt(
        "guest_command_days",
        default=30,
        min=0,
        mutable=True,
        help="Days that a command to a guest is kept after its end, with its result; 0 keeps all for ever. Only "
        "operators who look into the database see them. trove-manage guest_command purge removes them at once.",
    ),
    cfg.IntOpt(
        "configuration_history_days",
        default=365,
        min=0,
        mutable=True,
        help="Days that the former values of a configuration group are kept after they were set; 0 keeps all for ever. "
        "Users see them as the history of the group, which goes with the group. The present values are always "
        "kept. trove-manage configuration_history purge removes older ones at once.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
