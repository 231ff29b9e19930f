# SPDX-License-Identifier: Apache-2.0
"""The stub agent as a program that can be loaded ahead, see :mod:`trove.providers.local.zygote`."""

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

STUB = Path(__file__).with_name("stub_agent.py")


def preload() -> None:
    """There is nothing to load."""


def fits(argv: Sequence[str]) -> bool:
    """The option ``fresh`` of the bootstrap document asks for a fresh start."""
    return not json.loads(Path(argv[-1]).read_text())["options"].get("fresh")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stub."""
    sys.argv[1:] = sys.argv[1:] if argv is None else argv
    runpy.run_path(str(STUB), run_name="__main__")


if __name__ == "__main__":
    main()
