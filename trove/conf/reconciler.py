# SPDX-License-Identifier: Apache-2.0
"""[reconciler]: what becomes of outside things that belong to nobody, and of those that are missing."""

from typing import Any

from oslo_config import cfg

GROUP = "reconciler"

REMOVE, REPORT, OFF = "remove", "report", "off"

OPTS = [
    cfg.StrOpt(
        "action",
        default=REMOVE,
        choices=(
            (REMOVE, "remove what belongs to a deleted instance, and report everything else"),
            (REPORT, "report only"),
            (OFF, "do not compare at all"),
        ),
        mutable=True,
        help="What the taskmanagers do about servers, volumes, ports and server groups that carry a tag of Trove and "
        "belong to no instance. What has an id that this database has never known is only ever reported, because "
        "another deployment may share the cloud; so is what is missing of an instance that lives. "
        "trove-manage reconciler list shows what was found.",
    ),
    cfg.IntOpt(
        "interval",
        default=600,
        min=60,
        mutable=True,
        help="Seconds between the beginnings of two comparisons of all rows with all that a provider lists. A large "
        "cloud is asked for a page of 1000 items every two seconds, and a comparison that takes longer than this is "
        "finished first.",
    ),
    cfg.IntOpt(
        "grace_period",
        default=3600,
        min=600,
        mutable=True,
        help="Seconds for which a difference must last before anything is removed or reported as missing. It must be "
        "longer than any call to a provider can last, retries of its client and sleep of the host included: what "
        "such a call makes after its workflow was taken over is what this is about. It takes effect at the first "
        "comparison after it has passed.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
