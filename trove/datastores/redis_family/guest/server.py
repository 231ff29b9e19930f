# SPDX-License-Identifier: Apache-2.0
"""How a server of the family runs: its command line, what it notes about itself, the signals that end it.

The lifecycle of the process is :class:`trove.datastores.enginelib.server.EngineServer`.
"""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from trove.datastores import spi
from trove.datastores.enginelib.server import Program
from trove.datastores.redis_family import installations
from trove.datastores.redis_family.product import Product

STOP_STAGES = ((signal.SIGTERM, 120.0), (signal.SIGKILL, 10.0))


def argv(environment: spi.GuestEnvironment, product: Product, config: Path, data_dir: Path) -> Sequence[str]:
    """Return the command line.

    The directory is named there and not in the file, so that whoever looks at processes sees whose it is. A program
    that is missing is told when it is to be started.
    """
    home = environment.engine_home
    root = environment.engine_root or installations.HOST
    found = installations.program(product, home, root) if home is not None else None
    if home is None:
        homes = [item.home for item in installations.find(product, root) if item.version == environment.engine_version]
        found = installations.program(product, homes[0], root) if homes else None
    return (str(found or (home or Path("/usr")) / "bin" / product.program), str(config), "--dir", str(data_dir))


def program(words: Sequence[str], config: Path, pid_file: Path, log: Path, ready: Callable[[int], bool]) -> Program:
    """Return how the server runs.

    :param words: of :func:`argv`.
    """

    def pid() -> int | None:
        try:
            noted = int(pid_file.read_text())
        except (OSError, ValueError):
            return None
        return noted if noted > 1 else None

    return Program(
        argv=words, marker=str(config), log=log, cwd=config.parent, pid=pid, ready=ready, stop_stages=STOP_STAGES
    )
