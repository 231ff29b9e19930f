# SPDX-License-Identifier: Apache-2.0
"""Quota arithmetic.

Resources are ``instances`` (count), ``ram`` (MiB), ``volumes`` (GiB) and ``backups`` (count). ``UNLIMITED`` (-1)
never refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

UNLIMITED = -1
INSTANCES = "instances"
RAM = "ram"
VOLUMES = "volumes"
BACKUPS = "backups"
RESOURCES = (INSTANCES, RAM, VOLUMES, BACKUPS)


@dataclass(frozen=True)
class Excess:
    """Why a request does not fit: what was asked, what is in use, and where the limit lies."""

    resource: str
    requested: int
    in_use: int
    limit: int

    def __str__(self) -> str:
        return f"{self.resource}: requested {self.requested}, in use {self.in_use}, limit {self.limit}"


def excesses(limits: Mapping[str, int], in_use: Mapping[str, int], deltas: Mapping[str, int]) -> list[Excess]:
    """Return one :class:`Excess` for each resource that ``deltas`` would carry over its limit.

    Giving back (a negative delta) is always allowed, also when usage is above a limit that was lowered.
    """
    found = []
    for resource, delta in sorted(deltas.items()):
        limit, used = limits[resource], in_use.get(resource, 0)
        if delta > 0 and limit != UNLIMITED and used + delta > limit:
            found.append(Excess(resource, delta, used, limit))
    return found


def instance_usage(ram_mib: int, volume_gib: int) -> dict[str, int]:
    """Return what one instance consumes."""
    return {INSTANCES: 1, RAM: ram_mib, VOLUMES: volume_gib}
