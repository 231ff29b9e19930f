# SPDX-License-Identifier: Apache-2.0
"""How many connections an engine admits in a shape: a number that people expect and remember. Pure; for both halves."""


def limit(ram_mib: int, per_gib: int, low: int, high: int) -> int:
    """Return ``per_gib`` connections for each GiB of memory, from ``low`` to ``high``, rounded down.

    Two digits count, and of less than a hundred only fives: flavors are not always powers of two.

    >>> [limit(ram_mib, 100, 25, 1000) for ram_mib in (256, 512, 1000, 1024, 3000, 65536)]
    [25, 50, 95, 100, 290, 1000]
    """
    found = max(low, min(ram_mib * per_gib // 1024, high))
    step = 5 if found < 100 else 10 ** (len(str(found)) - 2)
    return max(low, found // step * step)
