# SPDX-License-Identifier: Apache-2.0
"""An environment with what a guest may use and nothing else: ``requirements.txt`` and the extra ``guest``.

It is built once and kept under ``$XDG_CACHE_HOME/trove-tests``, named by a hash of what is in it.
"""

import configparser
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import trove

SOURCE = Path(trove.__file__).parents[1]


def requirements() -> list[str]:
    """Return the requirements of a guest, without comments."""
    setup = configparser.ConfigParser()
    setup.read(SOURCE / "setup.cfg")
    lines = [*(SOURCE / "requirements.txt").read_text().splitlines(), *setup["extras"]["guest"].splitlines()]
    return sorted({text for line in lines if (text := line.partition("#")[0].strip())})


def python() -> Path:
    """Return the interpreter of the environment, building it when there is none yet.

    :raises subprocess.CalledProcessError: when it cannot be built; its output is on standard error.
    """
    wanted = requirements()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trove-tests"
    cache.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:16]
    home = cache / f"slim-{digest}"
    with open(cache / f"slim-{digest}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test workers build one, not one each
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", home], check=True, timeout=300)
            pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *wanted], check=True, timeout=600)
            (home / "complete").touch()
    return home / "bin" / "python"
