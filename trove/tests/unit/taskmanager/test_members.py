# SPDX-License-Identifier: Apache-2.0
"""Which member a step acts on."""

import ast
import pathlib
from types import SimpleNamespace
from typing import Any

import trove.taskmanager
from trove.common import ids
from trove.taskmanager.members import Member, MemberStep, own
from trove.taskmanager.steps import outside
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance

_PACKAGE = pathlib.Path(trove.taskmanager.__file__).parent
#: What acts on members: all steps, and what is done at the end of a flow.
_ABOUT_MEMBERS = (*sorted((_PACKAGE / "steps").glob("*.py")), _PACKAGE / "settle.py", _PACKAGE / "members.py")


class TestEverybodyIsToldTheMember(base.UnitTestCase):
    def test_only_one_function_takes_the_resource_of_a_workflow_for_an_instance(self) -> None:
        found = [
            f"{path.name}: {function.name}"
            for path in _ABOUT_MEMBERS
            for function in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and node.attr == "resource_id"
        ]
        self.assertEqual([f"members.py: {own.__name__}"], found)


class _Step(MemberStep):
    name = "step"


class TestMemberStep(base.UnitTestCase):
    def test_the_resource_of_the_workflow_unless_told(self) -> None:
        ctx: Any = SimpleNamespace(resource_id="r", inputs={"replica": "i"})
        step = _Step()
        other = step.on(lambda ctx: ctx.inputs["replica"], "step-of-replica")
        self.assertEqual(("step", "r"), (step.name, step.member(ctx).id))
        self.assertEqual(("step-of-replica", "i"), (other.name, other.member(ctx).id))

    def test_arguments_stay(self) -> None:
        ctx: Any = SimpleNamespace(resource_id="r", inputs={"new": {}})
        step = outside.SetAccess("new", undo="old").on(lambda _ctx: "i", "set-access-of-replica")
        self.assertEqual(("new", "old", "i"), (step._which, step._undo, step.member(ctx).id))


class TestMember(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        with self.db.writer() as session:
            self.ids = [make_instance(session, name=name).id for name in ("a", "b")]
        self.writes: list[Any] = []
        self.ctx: Any = SimpleNamespace(env=SimpleNamespace(db=self.db), memo={}, at_checkpoint=self.writes.append)

    def test_tags(self) -> None:
        self.assertEqual(ids.instance_tag(self.ids[0], "port"), Member(self.ctx, self.ids[0]).tag("port"))

    def test_one_read_in_a_run_and_what_was_published_is_seen(self) -> None:
        member = Member(self.ctx, self.ids[0])
        self.assertIs(member.instance, Member(self.ctx, self.ids[0]).instance)
        member.publish(port=1)
        Member(self.ctx, self.ids[0]).publish(volume_id="v")
        self.assertEqual((1, "v"), (member.instance.port, member.instance.volume_id))

    def test_members_of_one_run_are_kept_apart(self) -> None:
        first, second = (Member(self.ctx, each) for each in self.ids)
        first.publish(port=1)
        second.publish(port=2)
        self.assertEqual(("a", "b"), (first.instance.name, second.instance.name))
        with self.db.writer() as session:
            for write in self.writes:
                write(session)
        self.ctx.memo.clear()
        self.assertEqual([1, 2], [member.instance.port for member in (first, second)])
