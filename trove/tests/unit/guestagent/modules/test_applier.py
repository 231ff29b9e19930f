# SPDX-License-Identifier: Apache-2.0
"""What becomes of orders about modules: with the agent's drivers, and with drivers that misbehave."""

import hashlib
import sys
from pathlib import Path

import fixtures

from trove.datastores import spi
from trove.guestagent.modules import driver
from trove.guestagent.modules.applier import Applier
from trove.tests import base
from trove.wire import command

KEY = "0123456789abcdef0123456789abcdef01234567"


class Broken:
    """A driver that tells its contents when it fails."""

    type = "broken"

    def __init__(self, directory: Path) -> None:
        pass

    def validate(self, contents: str) -> list[str]:
        return []

    def apply(self, module_id: str, contents: str) -> str:
        raise ValueError(contents)

    def remove(self, module_id: str) -> None:
        raise driver.Refused("its service is in use")


class ApplierTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "modules"
        self.applier = Applier(self.directory)

    def apply(self, *modules: tuple[str, str, str]) -> list[tuple[str, str, str]]:
        """Apply (id, type, contents); return (id, status, message)."""
        specs = [command.ModuleSpec(id=i, type=t, name=i, contents=c) for i, t, c in modules]
        found = self.applier.apply(command.ApplyModules(modules=specs))["modules"]
        for spec, item in zip(specs, found, strict=True):
            self.assertEqual(hashlib.md5(spec.contents.encode()).hexdigest(), item["md5"])
        return [(item["id"], item["status"], item["message"]) for item in found]

    def remove(self, module_id: str, module_type: str) -> None:
        """Remove a module."""
        self.applier.remove(command.RemoveModule(id=module_id, type=module_type))

    def install(self) -> None:
        """Install :class:`Broken` as the package of somebody else brings it."""
        site = self.tempdir()
        metadata = site / "other-1.0.dist-info"
        metadata.mkdir()
        (metadata / "entry_points.txt").write_text(f"[{driver.ENTRY_POINTS}]\nbroken = {__name__}:Broken\n")
        self.useFixture(fixtures.MonkeyPatch("sys.path", [str(site), *sys.path]))

    def test_a_ping_says_its_message_and_leaves_nothing(self) -> None:
        self.assertEqual([("a", "OK", "hello = you")], self.apply(("a", "ping", "message=hello = you\n")))
        self.remove("a", "ping")
        self.assertFalse(self.directory.exists())

    def test_a_license_is_a_file_of_its_own(self) -> None:
        contents = f"# ours\nlicense_key = {KEY}\n"
        for _ in range(2):
            ((_, status, message),) = self.apply(("a", "new_relic_license", contents))
            self.assertEqual("OK", status)
            self.assertNotIn(KEY, message)
        self.apply(("b", "new_relic_license", "license_key=other-key-1"))
        path = self.directory / "new_relic_license" / "a.license"
        self.assertEqual(f"license_key={KEY}\n", path.read_text())
        self.assertEqual((0o600, 0o700), (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777))
        for _ in range(2):
            self.remove("a", "new_relic_license")
        self.assertEqual(["b.license"], [item.name for item in path.parent.iterdir()])

    def test_one_that_fails_does_not_keep_the_others(self) -> None:
        found = self.apply(
            ("a", "ping", "nothing"), ("b", "unheard_of", "x"), ("c", "../ping", "x"), ("d", "ping", "message=m")
        )
        self.assertEqual(["ERROR", "ERROR", "ERROR", "OK"], [status for _, status, _ in found])
        self.assertIn("message=<text>", found[0][2])
        self.assertIn("no driver for modules of type 'unheard_of'", found[1][2])
        self.assertNotIn("..", found[2][2].partition(":")[2])

    def test_a_directory_that_cannot_be_written(self) -> None:
        self.directory.write_text("in the way")
        ((_, status, message),) = self.apply(("a", "new_relic_license", f"license_key={KEY}"))
        self.assertEqual("ERROR", status)
        self.assertIn("Not a directory", message)

    def test_a_driver_that_breaks_tells_nothing_of_the_contents(self) -> None:
        self.install()
        ((_, status, message),) = self.apply(("a", "broken", "hunter2"))
        self.assertEqual("ERROR", status)
        self.assertIn("ValueError", message)
        self.assertNotIn("hunter2", message + self.logs.text())

    def test_what_is_not_removed_is_a_failure(self) -> None:
        self.install()
        err = self.assertRaises(spi.EngineError, self.remove, "a", "broken")
        self.assertEqual("module.not_removed", err.symbol)
        self.assertIn("in use", err.message)
        self.assertRaises(spi.EngineError, self.remove, "a", "unheard_of")
