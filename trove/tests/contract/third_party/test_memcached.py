# SPDX-License-Identifier: Apache-2.0
"""The example of the contributor guide is installed as a third party's would be, and passes the contract suite.

It is installed into a directory of its own with pip, and found on the path by its entry points alone: nothing of ours
names it.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from trove.providers.local import privileges
from trove.tests import base

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "third_party" / "memcached_datastore"
GUIDE = SOURCE.parents[3] / "doc" / "source" / "contributor" / "third-party-datastore.rst"


class TestMemcached(base.FunctionalTestCase):
    timeout = 300

    def installed(self) -> pathlib.Path:
        """Return a directory with the distribution, readable by everybody."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="third-party-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", str(directory)], check=True)
        directory.chmod(0o755)
        # A copy, because building leaves files beside the source.
        subprocess.run(["cp", "-r", str(SOURCE), str(directory / "source")], check=True)
        argv = [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--target", str(directory / "target"), str(directory / "source"),
        ]  # fmt: skip
        self.run_program(argv)
        return directory / "target"

    def run_program(self, argv: list[str], path: pathlib.Path | None = None) -> str:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}
        search = [str(path)] if path else []
        search += privileges.python_environment().get("PYTHONPATH", "").split(":")
        environment["PYTHONPATH"] = ":".join(filter(None, search))
        ended = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=self.timeout, check=False)
        self.assertEqual(0, ended.returncode, f"{argv}:\n{ended.stdout}\n{ended.stderr}")
        return ended.stdout + ended.stderr

    def test_it_is_installed_found_and_passes_the_contract_suite(self) -> None:
        target = self.installed()
        listed = self.run_program(
            [sys.executable, "-c", "from trove.datastores import registry; print(*registry.load_plugins())"], target
        )
        self.assertIn("memcached", listed.split())
        output = self.run_program(
            [
                sys.executable, "-m", "unittest", "-v", "-k", "memcached", "-k", "TestConformance",
                "trove.tests.contract.datastores.test_life", "trove.tests.contract.datastores.test_conformance",
            ],
            target,
        )  # fmt: skip
        ran = re.search(r"Ran (\d+) tests", output)
        assert ran is not None
        self.assertTrue(int(ran.group(1)) >= 10, output)
        for name in ("test_life", "test_two_instances_side_by_side_with_the_standard_port"):
            self.assertRegex(output, rf"(?s)Lifecycle_memcached_\w+\.{name}\b.*?ok")
        self.assertNotIn("skipped", output)

    def test_it_is_not_there_unless_it_is_installed(self) -> None:
        listed = self.run_program(
            [sys.executable, "-c", "from trove.datastores import registry; print(*registry.load_plugins())"]
        )
        self.assertNotIn("memcached", listed.split())

    def test_the_guide_shows_this_code(self) -> None:
        text = GUIDE.read_text("utf-8")
        shown = re.findall(r"literalinclude:: (\S+)", text)
        files = {path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.suffix in (".py", ".toml")}
        self.assertEqual(
            {path for path in files if path.name != "__init__.py"},
            {pathlib.Path(name.partition("memcached_datastore/")[2]) for name in shown},
        )
        for name in shown:
            self.assertTrue((GUIDE.parent / name).resolve().is_file(), name)
        for mark in re.findall(r":(?:start-after|end-before): (.+)", text):
            self.assertIn(mark.strip(), (SOURCE / "src/memcached_datastore/guest.py").read_text("utf-8"))
