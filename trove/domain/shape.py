# SPDX-License-Identifier: Apache-2.0
"""The size of a server in our own words, independent of any provider's flavors."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What a server offers.

    :ivar vcpus: number of virtual processors, at least 1.
    :ivar ram_mib: memory in MiB.
    :ivar disk_gib: root disk in GiB; 0 when the provider has none.
    """

    vcpus: int
    ram_mib: int
    disk_gib: int = 0

    def __post_init__(self) -> None:
        if self.vcpus < 1 or self.ram_mib < 1 or self.disk_gib < 0:
            raise ValueError(f"not a shape: {self!r}")
