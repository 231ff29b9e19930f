# SPDX-License-Identifier: Apache-2.0
"""How much of a shape the engine may use: a pure function from a shape to settings.

The data is in memory, and so are buffers of clients, the fragmentation of the allocator, and, while the append-only
file is rewritten, a copy of every page that is written meanwhile (fork(2) copies on write). ``maxmemory`` covers the
data and the buffers only. So a part of the memory stays free; with too small a part the kernel ends the server when it
rewrites the file, which is the worst moment.
"""

from dataclasses import dataclass

from trove.datastores import connections

#: Below this nothing useful fits beside the agent.
MIN_RAM_MIB = 256
#: For the operating system, the agent and the server's own code, in MiB.
_BASE_MIB = 96
#: Share of the rest that may be data; what is left absorbs copies on write and fragmentation.
_DATA_SHARE = 0.75
_MIN_REWRITE_MIB = 16
_MAX_REWRITE_MIB = 1024
#: Room for more is hardly a matter of the shape, and takes memory at once.
MAX_CLIENTS = 65000
#: Each takes memory from the start on, before it holds anything.
MAX_DATABASES = 10_000
#: The engine lowers it by itself where the system allows fewer open files.
_CLIENTS_PER_GIB = 8000


@dataclass(frozen=True)
class Sizing:
    """Settings in MiB, except counts.

    :ivar rewrite_from: from this size on the append-only file is rewritten when it has doubled.
    """

    maxmemory: int
    rewrite_from: int
    maxclients: int
    io_threads: int


def compute(vcpus: int, ram_mib: int, volume_gib: int, host_ram_mib: int | None = None) -> Sizing:
    """Return the settings for a shape.

    :param volume_gib: size of the data volume; 0 when it is unknown.
    :param host_ram_mib: memory of the machine, when it is known: a flavor may promise more than a laptop has.
    """
    ram = ram_mib if host_ram_mib is None else min(ram_mib, host_ram_mib)
    volume = volume_gib * 1024 or 10 * 1024
    return Sizing(
        maxmemory=max(64, int((ram - _BASE_MIB) * _DATA_SHARE)),
        rewrite_from=max(_MIN_REWRITE_MIB, min(volume // 16, _MAX_REWRITE_MIB)),
        maxclients=connections.limit(ram, _CLIENTS_PER_GIB, 1000, MAX_CLIENTS),
        # "We recommend ... only if you have at least 4 cores, leaving at least one spare" (redis.conf).
        io_threads=1 if vcpus < 4 else min(vcpus // 2, 8),
    )
