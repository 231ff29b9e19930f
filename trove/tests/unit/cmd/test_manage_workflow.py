# SPDX-License-Identifier: Apache-2.0
"""``trove-manage workflow``, through its parser and on a real database."""

import argparse
import contextlib
import io
import json
import threading

from trove.cmd import manage_workflow
from trove.domain import operations
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance
from trove.tests.unit.workflow import flows
from trove.workflow.engine import Engine
from trove.workflow.model import Done, Failed, State
from trove.workflow.registry import Registry
from trove.workflow.store import Store


class TestManageWorkflow(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        self.store = Store(self.db)
        self.case = flows.SampleCase(self.db, self.store, flows.KIND)
        self.workflow_id = self.case.workflow_id
        self.broken = [True]
        step = flows.Call("a", lambda ctx: Failed("sample.no", "No.") if self.broken else Done())
        self.registry = Registry([flows.flow(flows.KIND, step, pivot="<start>", max_attempts=1)])

    def manage(self, *argv: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        manage_workflow.add_parser(parser.add_subparsers())
        args = parser.parse_args(["workflow", *argv])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = manage_workflow.run(self.new_conf(), self.db, args)
        return code, out.getvalue(), err.getvalue()

    def run_it(self) -> State:
        run = self.store.claim(self.workflow_id, "me", 30.0, self.registry.keys())
        return Engine(self.store, self.registry, self.case.env).run_one(run, threading.Event()).state

    def test_list(self) -> None:
        code, out, _ = self.manage("list")
        self.assertEqual(0, code)
        self.assertIn(self.workflow_id, out)
        self.assertIn("QUEUED", out)
        self.assertNotIn(self.workflow_id, self.manage("list", "--state", "PARKED")[1])
        self.assertNotIn(self.workflow_id, self.manage("list", "--resource", "other")[1])
        self.assertEqual([self.workflow_id], [row["id"] for row in json.loads(self.manage("list", "--json")[1])])
        self.manage("abort", "--force", self.workflow_id)
        self.assertNotIn(self.workflow_id, self.manage("list")[1])
        self.assertIn(self.workflow_id, self.manage("list", "--all")[1])

    def test_show(self) -> None:
        self.run_it()
        _, out, _ = self.manage("show", self.workflow_id)
        for text in ("PARKED", "sample.no", "FAILED", "claim_key"):
            self.assertIn(text, out)
        shown = json.loads(self.manage("show", "--json", self.workflow_id)[1])
        self.assertEqual(["a"], [step["name"] for step in shown["steps"]])
        self.assertEqual(
            (1, f"There is no workflow {self.workflow_id[:-1]}.\n"), self.manage("show", self.workflow_id[:-1])[::2]
        )

    def test_claims_parents_and_children_are_shown(self) -> None:
        with self.db.writer() as session:
            child = self.store.submit(
                session,
                kind=flows.MEMBER,
                resource_type="sample",
                resource_id="m",
                project_id="p",
                request_id=None,
                inputs={},
                claims=("sample:m", "sample:n"),
                parent_id=self.workflow_id,
            )
        _, out, _ = self.manage("show", self.workflow_id)
        self.assertRegex(out, rf"(?m)^{child} +sample.member +m +QUEUED")
        _, out, _ = self.manage("show", child)
        self.assertRegex(out, rf"(?m)^parent_id +{self.workflow_id}$")
        self.assertRegex(out, r"(?m)^claims +.*sample:m.*sample:n")
        self.assertRegex(self.manage("list")[1], rf"(?m)^{child} .* {self.workflow_id}$")

    def test_a_guests_words_are_shown_as_text(self) -> None:
        forged = Failed("sample.no", "No.", "x\x1b[2J\nstate  SUCCEEDED")
        step = flows.Call("a", lambda _ctx: forged)
        self.registry = Registry([flows.flow(flows.KIND, step, pivot="<start>", max_attempts=1)])
        self.run_it()
        _, out, _ = self.manage("show", self.workflow_id)
        self.assertTrue(all(line.isprintable() for line in out.split("\n")))
        self.assertIn("x\\x1b[2J\n" + " " * 22 + "state  SUCCEEDED\n", out)

    def test_retry(self) -> None:
        self.assertIn("not PARKED", self.manage("retry", self.workflow_id)[2])
        self.assertIs(State.PARKED, self.run_it())
        self.broken.clear()
        self.assertEqual(0, self.manage("retry", self.workflow_id)[0])
        self.assertIs(State.SUCCEEDED, self.run_it())

    def test_abort_by_force_of_what_concerns_modules(self) -> None:
        for kind in (operations.MODULE_APPLY, operations.MODULE_REMOVE):
            with self.db.writer() as session:
                instance = make_instance(session)
                workflow_id = self.store.submit(
                    session, kind=kind, resource_type="instance", resource_id=instance.id, project_id="p",
                    request_id=None, inputs={"command_id": "c", "modules": ["m"]},
                )  # fmt: skip
            code, out, _ = self.manage("abort", "--force", workflow_id)
            self.assertEqual(0, code)
            self.assertIn("has ended", out)

    def test_abort(self) -> None:
        self.assertIn("asked to unwind", self.manage("abort", self.workflow_id)[1])
        self.assertIn("asked before", self.manage("abort", self.workflow_id)[2])
        self.run_it()
        code, _, err = self.manage("abort", self.workflow_id)
        self.assertEqual(1, code)
        self.assertIn("--force", err)
        self.assertIn("has ended", self.manage("abort", "--force", self.workflow_id)[1])
        self.assertEqual("workflow.aborted", self.case.row()["error_symbol"])
        self.assertIn("ended already", self.manage("abort", "--force", self.workflow_id)[2])
        self.assertEqual(1, self.manage("abort", "nothing")[0])
