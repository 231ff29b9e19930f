# SPDX-License-Identifier: Apache-2.0
"""How much of a shape MariaDB or MySQL may use: a pure function from a shape to settings.

From the engines' manuals ("How MySQL Uses Memory", "InnoDB Startup Options", "innodb_log_file_size"): the buffer pool
is most of the memory of a large machine and little of a small one, where threads and dictionaries weigh more; the redo
log follows the *volume*, because an empty data directory already fills a fifth of a volume of 1 GiB; temporary tables
must not fill it either. All sizes are MiB.
"""

from dataclasses import dataclass

from trove.datastores import connections

#: Beyond this a larger buffer pool is rarely warm and makes start and stop slow.
MAX_BUFFER_POOL_MIB = 256 * 1024
#: (memory up to, share of it in percent): what the buffer pool gets.
_SHARES = ((512, 25), (1024, 35), (2048, 45), (4096, 55), (16384, 65))
_LARGEST_SHARE = 70


@dataclass(frozen=True)
class Sizing:
    """Settings in MiB, except counts."""

    buffer_pool: int
    log_buffer: int
    redo: int
    temporary_max: int
    tmp_table: int
    key_buffer: int
    aria_cache: int
    max_connections: int
    table_open_cache: int
    table_definition_cache: int
    thread_cache: int
    performance_schema: bool


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def compute(vcpus: int, ram_mib: int, volume_gib: int, host_ram_mib: int | None = None) -> Sizing:
    """Return the settings for a shape.

    :param volume_gib: size of the data volume; 0 when it is unknown.
    :param host_ram_mib: memory of the machine, when it is known: a flavor may promise more than a laptop has.
    """
    ram = ram_mib if host_ram_mib is None else min(ram_mib, host_ram_mib)
    share = next((share for limit, share in _SHARES if ram <= limit), _LARGEST_SHARE)
    admitted = connections.limit(ram, 100, 30, 2000)
    volume = volume_gib * 1024 or 10 * 1024
    return Sizing(
        buffer_pool=_clamp(ram * share // 100, 64, MAX_BUFFER_POOL_MIB),
        log_buffer=_clamp(ram // 64, 4, 64),
        redo=_clamp(volume // 16, 64, 16 * 1024),
        temporary_max=max(volume // 4, 64),
        tmp_table=_clamp(ram // 64, 8, 128),
        key_buffer=_clamp(ram // 64, 4, 64),
        aria_cache=_clamp(ram // 32, 8, 512),
        max_connections=admitted,
        table_open_cache=_clamp(admitted * 8, 400, 4000),
        table_definition_cache=_clamp(ram, 400, 4000),
        thread_cache=_clamp(vcpus * 4, 8, 100),
        # Its tables are sized at start and would be half of the memory of a small shape.
        performance_schema=ram >= 4096,
    )
