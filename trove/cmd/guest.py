# SPDX-License-Identifier: Apache-2.0
"""``trove-guestagent``: the agent beside one database engine.

It must import nothing of the control plane, not even :mod:`trove.common.threads`, which brings oslo.service. What it
imports, and in which order, decides how much memory each guest costs: see :mod:`trove.guestagent.slim`.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from trove.guestagent import slim


def preload() -> None:
    """Load what nearly every agent needs, ahead of time and once for many of them, which then share the memory."""
    slim.at_start()
    slim.for_plain_gateway()

    from trove.guestagent import agent

    agent.preload()


def fits(argv: Sequence[str]) -> bool:
    """Tell whether an agent with this command line can go on from :func:`preload`."""
    for word, value in itertools.pairwise(argv):
        if word == "--bootstrap":
            return slim.is_plain(Path(value))
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the agent; return its exit status."""
    slim.at_start()
    parser = argparse.ArgumentParser(prog="trove-guestagent", description="Run the agent beside one database engine.")
    parser.add_argument(
        "--bootstrap", required=True, type=Path, metavar="FILE", help="the bootstrap document of the instance"
    )
    parser.add_argument(
        "--log-file", type=Path, metavar="FILE", help="default: agent.log in the state directory; '-' is standard error"
    )
    arguments = parser.parse_args(argv)
    slim.for_bootstrap(arguments.bootstrap)

    from trove.guestagent import agent  # not before what it needs is there in its small form

    to_stderr = str(arguments.log_file) == "-"
    return agent.run(arguments.bootstrap, None if to_stderr else arguments.log_file, log_to_stderr=to_stderr)


if __name__ == "__main__":
    sys.exit(main())
