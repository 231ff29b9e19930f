# SPDX-License-Identifier: Apache-2.0

import ast
import datetime
import inspect
import re
from pathlib import Path
from unittest import mock

from trove.common import printable
from trove.datastores import registry, spi
from trove.tests import base


class TestLastRun(base.UnitTestCase):
    def test_exactly_this_version_else_its_series(self) -> None:
        plugin = mock.Mock(tested=[spi.RealRun("9", "core", "2026-01-02"), spi.RealRun("9.1", "full", "2026-01-01")])
        found = {version: spi.last_run(plugin, version) for version in ("9.1", "9.1.5", "9.10", "90", "8")}
        dates = {version: run.date if run else None for version, run in found.items()}
        self.assertEqual(
            {"9.1": "2026-01-01", "9.1.5": "2026-01-01", "9.10": "2026-01-02", "90": None, "8": None}, dates
        )

    def test_a_plugin_that_says_nothing(self) -> None:
        self.assertIsNone(spi.last_run(mock.Mock(spec=[]), "1"))

    def test_each_readme_says_what_its_plugin_says(self) -> None:
        for name, plugin in registry.load_plugins().items():
            runs = getattr(plugin, "tested", ())
            if not runs:
                continue
            lines = Path(inspect.getfile(type(plugin))).with_name("README.rst").read_text().splitlines()
            for run in runs:
                datetime.date.fromisoformat(run.date)
                self.assertIn(run.level, ("full", "core"), name)
                said = [line for line in lines if run.version in line and run.level in line and run.date in line]
                self.assertTrue(said, f"the README of {name} has no line with {run}")


class TestOnHost(base.UnitTestCase):
    def test_a_file_of_the_engine_is_found_where_it_is(self) -> None:
        values = {"engine_home": Path("/usr"), "engine_version": "1", "data_dir": Path("/d"), "state_dir": Path("/s")}
        root = self.tempdir()
        for given, expected in ((None, Path("/usr/bin/x")), (root, root / "usr/bin/x")):
            environment = spi.GuestEnvironment(
                **values, template_dir=None, process=mock.Mock(spec=spi.EngineProcess), engine_root=given
            )
            self.assertEqual(expected, environment.on_host(Path("/usr/bin/x")))


class TestWordsForOwners(base.UnitTestCase):
    """What an owner reads of a guest is made in few ways, and none of them is of where things are on the guest."""

    makers = ("EngineError", "EngineStatus", "NoAnswer", "refused", "failure", "_unavailable")
    #: Of expressions that would put a path, a socket, an address or an exception's name into a sentence.
    internal = re.compile(r"path|socket|_dir\b|directory|address|home|__name__|type\(|repr\(|filename|strerror", re.I)
    #: (module, expression) that is harmless: the name of a program, and why a system call failed without its argument.
    known = {("process.py", "err.strerror"), ("process.py", "os.path.basename(argv[0])")}

    def test_no_sentence_tells_where_things_are(self) -> None:
        seen = 0
        for module in [*_modules("datastores"), *_modules("guestagent")]:
            for call in ast.walk(ast.parse(module.read_text())):
                name = getattr(call, "func", None)
                if getattr(name, "attr", getattr(name, "id", None)) not in self.makers:
                    continue
                assert isinstance(call, ast.Call)
                seen += 1
                for part in (part for argument in call.args for part in ast.walk(argument)):
                    where = f"{module.name}:{call.lineno}"
                    if isinstance(part, ast.FormattedValue):
                        shown = ast.unparse(part.value)
                        if (module.name, shown) not in self.known:
                            self.assertIsNone(self.internal.search(shown), f"{where}: {shown}")
                            self.assertNotEqual(ord("r"), part.conversion, where)
                    elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                        self.assertEqual(part.value, printable.without_paths(part.value), where)
        self.assertGreater(seen, 50)


def _modules(package: str) -> list[Path]:
    return sorted((Path(inspect.getfile(spi)).parents[1] / package).rglob("*.py"))
