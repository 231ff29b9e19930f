# SPDX-License-Identifier: Apache-2.0
"""What an engine may know of the machine below it: a flavor may promise more than a laptop has."""

import os


def ram_mib() -> int | None:
    """Return the machine's memory in MiB, ``None`` when it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (OSError, ValueError):
        return None
