# SPDX-License-Identifier: Apache-2.0
"""The guest agent runs where only the 'guest' extra is installed, and stays small.

A process is started in which nothing can be imported but the standard library, Trove, and what that extra brings.
"""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
from typing import Any

import trove
from trove.tests import base

#: What ``pip install trove[guest]`` brings, by the names it is imported under.
_ALLOWED = ("trove", "msgspec", "cryptography", "cffi", "_cffi_backend", "pycparser")
#: The agent's budget is 45 MiB while it works; loading its code must leave most of that.
_LOADED_MIB = 42

_CHILD = """
import importlib, json, pkgutil, re, sys

foreign = set(sys.argv[1].split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in foreign:
            raise ModuleNotFoundError(f"No module named {name!r} in a guest")

sys.meta_path.insert(0, Absent())
import trove.cmd.guest
import trove.datastores
import trove.guestagent.agent
import trove.datastores.enginelib
names = ["trove.datastores.enginelib", *sys.argv[2:]]
loaded = []
for package in map(importlib.import_module, names):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        loaded.append(module.name)
# Not ru_maxrss: after vfork and exec that includes the parent's.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(json.dumps({"loaded": loaded, "mib": int(peak[1]) / 1024}))
"""


#: The driver of engines that need one, by how their packages' names begin, as it is imported.
_DRIVERS = {"postgresql": ("psycopg2", "psycopg2_binary"), "mysql": ("pymysql",), "mariadb": ("pymysql",)}


def guest_halves() -> list[str]:
    """Return the guest halves of all datastores and of the libraries that some of them share."""
    folder = pathlib.Path(trove.__file__).parent / "datastores"
    return sorted(path.parent.name for path in folder.glob("*/guest"))


class GuestIslandTest(base.FunctionalTestCase):
    def test_loads_with_its_own_extra_only_and_stays_small(self) -> None:
        halves = guest_halves()
        self.assertIn("postgresql", halves)
        for name in halves:
            drivers = next((found for prefix, found in _DRIVERS.items() if name.startswith(prefix)), ())
            with self.subTest(name):
                outcome = self.load(f"trove.datastores.{name}.guest", (*_ALLOWED, *drivers))
                self.assertLess(outcome["mib"], _LOADED_MIB, outcome)

    def load(self, package: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        """Load the agent with one guest half where nothing but ``allowed`` can be imported."""
        foreign = {name.split("/")[0] for name in importlib.metadata.packages_distributions()} - set(allowed)
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, ",".join(foreign), package],
            cwd=pathlib.Path(trove.__file__).parents[1], capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(0, done.returncode, done.stderr)
        outcome: dict[str, Any] = json.loads(done.stdout)
        self.assertTrue([name for name in outcome["loaded"] if name.startswith(package)], outcome)
        return outcome
