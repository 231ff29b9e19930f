# SPDX-License-Identifier: Apache-2.0
# covers: trove/guestagent/modules/driver.py
"""Modules in a real agent, with the drivers it brings and one that was installed beside it."""

import signal
import textwrap
from typing import Any

from trove.guestagent import agent
from trove.tests.functional.guestagent.control import wait_for
from trove.tests.functional.guestagent.test_agent_process import AgentCase
from trove.wire import command

KEY = "0123456789abcdef0123456789abcdef01234567"
#: A driver of somebody else; the file ``wait`` in its directory holds it up.
DRIVER = """
import pathlib, time

class Notes:
    type = "notes"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def validate(self, contents):
        return [] if contents.startswith("note") else ["this is no note"]

    def apply(self, module_id, contents):
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "begun", "a") as stream:
            stream.write("x")
        while (self.directory / "wait").exists():
            time.sleep(0.02)
        (self.directory / module_id).write_text(contents)
        return "noted"

    def remove(self, module_id):
        (self.directory / module_id).unlink(missing_ok=True)
"""


def spec(module_id: str, kind: str, contents: str) -> command.ModuleSpec:
    """Return a module for a guest."""
    return command.ModuleSpec(id=module_id, type=kind, name=module_id, contents=contents)


class ModulesTest(AgentCase):
    def setUp(self) -> None:
        super().setUp()
        (self.agent.packages / "notes_driver.py").write_text(textwrap.dedent(DRIVER))
        metadata = self.agent.packages / "notes-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: notes\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[trove.guest_modules]\nnotes = notes_driver:Notes\n")
        self.modules = self.agent.state / "modules"

    def apply(self, *specs: command.ModuleSpec) -> list[tuple[str, str, str]]:
        """Apply modules and return id, status and message of each."""
        found = self.control.finished(
            self.control.submit(self.agent.instance_id, command.ApplyModules(modules=list(specs)))
        )
        self.assertEqual("DONE", found.state)
        told: list[dict[str, Any]] = found.result["modules"]
        return [(item["id"], item["status"], item["message"]) for item in told]

    def test_apply_and_remove(self) -> None:
        self.agent.start()
        self.assertEqual(
            [("a", "OK", "hello"), ("b", "OK", "The license key is installed."), ("c", "OK", "noted"),
             ("d", "ERROR", "The module could not be applied: this is no note.")],
            self.apply(
                spec("a", "ping", "message=hello"), spec("b", "new_relic_license", f"license_key={KEY}"),
                spec("c", "notes", "note this"), spec("d", "notes", "this is not one"),
            ),
        )  # fmt: skip
        path = self.modules / "new_relic_license" / "b.license"
        self.assertEqual((f"license_key={KEY}\n", 0o600), (path.read_text(), path.stat().st_mode & 0o777))
        for module_id, kind in (("b", "new_relic_license"), ("c", "notes"), ("a", "ping")):
            self.assertEqual("DONE", self.carry_out(command.RemoveModule(id=module_id, type=kind)))
        self.assertEqual("FAILED", self.carry_out(command.RemoveModule(id="x", type="unheard_of")))
        self.assertEqual(["notes/begun"], sorted(
            str(item.relative_to(self.modules)) for item in self.modules.rglob("*") if item.is_file()
        ))  # fmt: skip
        self.agent.signal(signal.SIGTERM)
        self.assertEqual(agent.OK, self.agent.wait()[0])
        for left in self.agent.directory.rglob("*"):
            if left.is_file():
                self.assertNotIn(KEY.encode(), left.read_bytes(), left)

    def test_an_agent_that_is_killed_in_between_applies_again(self) -> None:
        (self.modules / "notes").mkdir(parents=True)
        (self.modules / "notes" / "wait").touch()
        self.agent.start()
        order = command.ApplyModules(modules=[spec("a", "notes", "note this")])
        command_id = self.control.submit(self.agent.instance_id, order)
        begun = self.modules / "notes" / "begun"
        # The file is there a moment before its content, and killed in between it would stay empty.
        wait_for(lambda: begun.exists() and begun.read_text() == "x", what="the driver's beginning")
        self.agent.signal(signal.SIGKILL)
        self.agent.wait()
        (self.modules / "notes" / "wait").unlink()
        self.agent.start()
        self.assertEqual("DONE", self.control.finished(command_id).state)
        self.assertEqual("xx", begun.read_text())
        self.assertEqual("note this", (self.modules / "notes" / "a").read_text())
