# SPDX-License-Identifier: Apache-2.0
"""Run the host's own tools (``ip``, ``mount``, ``mkfs.xfs``), bounded in time, their complaint as an error."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from trove.providers import base

#: Where tools of the administrator are, whatever PATH the service was started with.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds; nothing here takes more than one, unless the host is in trouble.
TIMEOUT = 60.0


class ToolError(base.RetryableError):
    """A tool refused; ``code`` is its exit status, the text holds its complaint."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def find(program: str) -> str | None:
    """Return the path of a tool, or ``None``."""
    return shutil.which(program, path=_PATH)


def run(program: str, *arguments: str, env: Mapping[str, str] | None = None, lines: Sequence[str] = ()) -> str:
    """Run a tool and return what it prints.

    :param env: added to the environment, which is not that of the service.
    :param lines: what it reads from its standard input.
    :raises ToolError: when it fails or does not end in time.
    :raises base.FatalError: when this host does not have it.
    """
    path = find(program)
    if path is None:
        raise base.FatalError(f"this host lacks the program '{program}'")
    environment = {"PATH": _PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        done = subprocess.run(
            [path, *arguments], input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
            errors="replace", timeout=TIMEOUT, check=False, env=environment, cwd=os.sep,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{program} {' '.join(arguments)} did not end within {TIMEOUT:.0f} seconds", -1) from None
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).strip() or f"it ended with {done.returncode}"
        raise ToolError(f"{program} {' '.join(arguments)}: {complaint}", done.returncode)
    return done.stdout
