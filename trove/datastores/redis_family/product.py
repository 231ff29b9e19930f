# SPDX-License-Identifier: Apache-2.0
"""What distinguishes one engine of the family from another: names, programs and versions, as data."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """One engine.

    :ivar name: of the datastore and of its directories.
    :ivar title: for sentences.
    :ivar program: file name of the server.
    :ivar check_program: file name of the program that repairs the append-only file; a remedy names it.
    :ivar versions: series this code knows, newest first.
    :ivar wheels: Python modules that carry the server.
    """

    name: str
    title: str
    program: str
    check_program: str
    versions: tuple[str, ...]
    wheels: tuple[str, ...] = ()

    def knows(self, version: str) -> bool:
        """Tell whether ``version`` belongs to a known series; ``8`` is a series, and so is ``8.1``."""
        return any(version == series or version.startswith(f"{series}.") for series in self.versions)


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that sorts versions by age: 7.0.9 before 7.0.15."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
