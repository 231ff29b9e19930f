# SPDX-License-Identifier: Apache-2.0
"""What the generators of ``parameters.yaml`` share: run a real engine, join what several versions say, write the file.

An engine refuses to run as root and its files must be somebody's, so as root each engine is asked by a child of the
tool that runs as ``nobody`` (``--ask``) and prints JSON; an ordinary user's tool asks it itself.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from trove.providers.local import privileges
from trove.tests.contract.datastores import engines

DATASTORES = Path(__file__).resolve().parents[2] / "trove" / "datastores"
#: {parameter: what is known of it}
Parameters = dict[str, dict[str, Any]]
_ORDER = ("type", "unit", "min", "max", "values", "default", "restart", "since", "until", "aliases")


@contextlib.contextmanager
def running(manager: str, version: str) -> Iterator[engines.Instance]:
    """Yield a running instance of an engine of this host or of an image, with the configuration that Trove gives it."""
    (installation, *_) = [found for name, found in engines.installed() if (name, found.version) == (manager, version)]
    with tempfile.TemporaryDirectory(prefix="parameters-") as name:
        one = engines.Instance(manager, installation, Path(name) / "i")
        try:
            one.prepare()
            yield one
        finally:
            one.destroy()


def ask_all(tool: str, manager: str, ask: Callable[[str, str], Parameters]) -> dict[str, Parameters]:
    """Return {version: parameters} of every installation found, oldest first."""
    versions = [found.version for name, found in engines.installed() if name == manager]
    if not versions:
        raise SystemExit(f"{manager}: no server found; install one, or build an image, see trove-manage image build")
    answers = {}
    for version in sorted(versions, key=_key):
        if os.geteuid() != 0:
            answers[version] = ask(manager, version)
            continue
        argv = [sys.executable, tool, "--ask", manager, version]
        environment = {
            **privileges.python_environment(),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": "/tmp",
            # Where images are.
            **{name: value for name, value in os.environ.items() if name == "TROVE_TEST_IMAGE_DIR"},
        }
        words = privileges.run_unprivileged_argv(argv, user="nobody", needed_paths=[tool])
        ended = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True, cwd="/")
        answers[version] = json.loads(ended.stdout)
    return answers


def join(answers: Mapping[str, Parameters]) -> Parameters:
    """Return one list: what the newest version says of each parameter, with ``since`` and ``until``, by series."""
    versions = list(answers)
    joined: Parameters = {}
    for version in versions:
        joined.update(answers[version])
    for name, known in joined.items():
        having = [version for version in versions if name in answers[version]]
        if having[0] != versions[0]:
            known["since"] = series(having[0])
        if having[-1] != versions[-1]:
            known["until"] = series(having[-1])
    return dict(sorted(joined.items()))


def series(version: str) -> str:
    """Return what tells releases with other parameters apart: 15 of 15.18, 10.11 of 10.11.19."""
    numbers = version.split(".")
    return numbers[0] if len(numbers) == 2 else ".".join(numbers[:2])


def write(path: Path, header: Sequence[str], parameters: Parameters) -> None:
    """Write the file, one line per parameter."""
    lines = ["# SPDX-License-Identifier: Apache-2.0", *(f"# {line}" for line in header)]
    for name, known in parameters.items():
        ordered = {key: known[key] for key in _ORDER if known.get(key) is not None}
        text = yaml.safe_dump(ordered, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
        lines.append(f"{name}: {text.strip()}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(tool: str, managers: Sequence[str], title: str, ask: Callable[[str, str], Parameters]) -> int:
    """Run a generator: ``tool [MANAGER ...]``."""
    words = sys.argv[1:]
    if words[:1] == ["--ask"]:
        json.dump(ask(words[1], words[2]), sys.stdout)
        return 0
    for manager in words or managers:
        answers = ask_all(tool, manager, ask)
        found = join(answers)
        header = [
            f"Every parameter that can be set, made by tools/parameters/{Path(tool).name} from {title}",
            ", ".join(answers) + ".",
            "restart: whether a change needs one; since, until: first and last of those series that have it.",
        ]
        write(DATASTORES / manager / "parameters.yaml", header, found)
        sys.stdout.write(f"{manager}: {len(found)} parameters of {', '.join(answers)}\n")
    return 0


def _key(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
