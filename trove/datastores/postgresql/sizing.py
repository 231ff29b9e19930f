# SPDX-License-Identifier: Apache-2.0
"""How much of a shape PostgreSQL may use: a pure function from a shape to settings.

Rules of thumb, each from the PostgreSQL manual, "Resource Consumption" and "Write Ahead Log": a quarter of the memory
for shared buffers; the operating system's cache is the rest; sort memory so that all connections together stay within
another quarter; WAL so that a small volume is not filled by it (a 1 GiB volume must hold data). All sizes are MiB.
"""

from dataclasses import dataclass

from trove.datastores import connections

#: Below this the server and its background processes do not fit beside the agent.
MIN_RAM_MIB = 256
#: Beyond this more shared buffers bring little and make start and checkpoints slow.
MAX_SHARED_BUFFERS_MIB = 16 * 1024
#: One WAL segment; PostgreSQL refuses a max_wal_size or min_wal_size below two.
WAL_SEGMENT_MIB = 16


@dataclass(frozen=True)
class Sizing:
    """Settings in MiB, except counts."""

    shared_buffers: int
    effective_cache_size: int
    work_mem: int
    maintenance_work_mem: int
    max_connections: int
    max_wal_size: int
    min_wal_size: int
    max_slot_wal_keep_size: int
    max_worker_processes: int
    max_parallel_workers: int
    max_parallel_workers_per_gather: int


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def compute(vcpus: int, ram_mib: int, volume_gib: int, host_ram_mib: int | None = None) -> Sizing:
    """Return the settings for a shape.

    :param volume_gib: size of the data volume; 0 when it is unknown.
    :param host_ram_mib: memory of the machine, when it is known: a flavor may promise more than a laptop has, and a
    server that
        reserves more shared memory than there is does not start.
    """
    ram = ram_mib if host_ram_mib is None else min(ram_mib, host_ram_mib)
    admitted = connections.limit(ram, 100, 25, 1000)
    volume = volume_gib * 1024 or 10 * 1024
    max_wal = _clamp(volume // 8, 4 * WAL_SEGMENT_MIB, 16 * 1024)
    return Sizing(
        shared_buffers=_clamp(ram // 4, 32, MAX_SHARED_BUFFERS_MIB),
        effective_cache_size=max(ram * 3 // 4, 32),
        work_mem=_clamp(ram // 4 // admitted, 1, 256),
        maintenance_work_mem=_clamp(ram // 16, 16, 2048),
        max_connections=admitted,
        max_wal_size=max_wal,
        min_wal_size=_clamp(max_wal // 4, 2 * WAL_SEGMENT_MIB, 1024),
        max_slot_wal_keep_size=max(volume // 4, max_wal),
        max_worker_processes=max(8, vcpus),
        max_parallel_workers=vcpus,
        max_parallel_workers_per_gather=min(vcpus // 2, 4),
    )
