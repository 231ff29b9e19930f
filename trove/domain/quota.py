# SPDX-License-Identifier: Apache-2.0
"""Quota arithmetic.

Resources are ``instances`` (count), ``ram`` (MiB), ``volumes`` (GiB) and ``backups`` (count); and the instances of one
datastore, which are counted for every project and limited only where an operator says so. ``UNLIMITED`` (-1) never
refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

UNLIMITED = -1
INSTANCES = "instances"
RAM = "ram"
VOLUMES = "volumes"
BACKUPS = "backups"
RESOURCES = (INSTANCES, RAM, VOLUMES, BACKUPS)

_OF_DATASTORE = f"{INSTANCES}:"


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


def of_datastore(datastore: str) -> str:
    """Return the resource "instances of one datastore": kept under the datastore's id, shown with its name."""
    return f"{_OF_DATASTORE}{datastore}"


def datastore_of(resource: str) -> str | None:
    """Return the datastore whose instances ``resource`` counts; ``None`` for any other resource."""
    return resource.removeprefix(_OF_DATASTORE) if resource.startswith(_OF_DATASTORE) else None


def instance_usage(ram_mib: int, volume_gib: int, datastore_id: str | None = None) -> dict[str, int]:
    """Return what one instance consumes."""
    used = {INSTANCES: 1, RAM: ram_mib, VOLUMES: volume_gib}
    return used if datastore_id is None else {**used, of_datastore(datastore_id): 1}
