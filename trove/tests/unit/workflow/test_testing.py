# SPDX-License-Identifier: Apache-2.0
"""The crash matrix passes for sound flows, and finds what is wrong with unsound ones."""

import fixtures

from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.unit.workflow import flows
from trove.workflow import testing
from trove.workflow.model import Done, Failed, Result, StepContext


class TestSoundFlows(base.UnitTestCase):
    """More of them, and on all databases, in the functional tests."""

    def _check(self, name: str) -> int:
        db = self.useFixture(DatabaseFixture("sqlite")).db
        return testing.CrashMatrix(db, flows.SCENARIOS[name]()).check_all()

    def test_forward(self) -> None:
        self.assertGreater(self._check("forward"), 20)


class _CreatesTwice:
    """Creates without looking: what a crash between effect and checkpoint doubles."""

    name = "server"

    def run(self, ctx: StepContext) -> Result:
        ctx.env.ensure(f"server-{ctx.env.made}")
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        for tag in [t for t in ctx.env.things if t.startswith("server-")]:
            ctx.env.remove(tag)
        return Done()


class _UndoesByOutput:
    """Believes that what has no output does not exist."""

    name = "volume"

    def run(self, ctx: StepContext) -> Result:
        ctx.env.ensure("volume")
        return Done({"tag": "volume"})

    def undo(self, ctx: StepContext) -> Result:
        if "volume" in ctx.outputs:
            ctx.env.remove("volume")
        return Done()


class _FailsLate(_UndoesByOutput):
    """Fails after its effect the first time it is asked."""

    def run(self, ctx: StepContext) -> Result:
        super().run(ctx)
        return Failed("sample.full", "No room.") if ctx.env.made > 1 else Done({"tag": "volume"})

    def test_a_family(self) -> None:
        db = self.useFixture(DatabaseFixture("sqlite")).db
        matrix = testing.CrashMatrix(db, flows.SCENARIOS["family"](), [flows.member_flow()], flows.deletion(db))
        whole = matrix.play({})
        self.assertEqual(2 * flows.MEMBERS + 1, whole.snapshot[-1], "every member once")
        labels = [label for label, _ in matrix.cases()]
        for step in ("change-members", "ensure-server"):
            for label in ("crash before the effect of", "takeover between effect and checkpoint of", "late effect of"):
                self.assertIn(f"{label} {step}", labels)


class TestLateEffects(base.UnitTestCase):
    def _check(self, *, reconciled: bool) -> int:
        db = self.useFixture(DatabaseFixture("sqlite")).db
        scenario = flows.SampleScenario(flows.flow(flows.KIND, flows.Ensure("port"), flows.Ask("ready")), flows.KIND)
        deletion = flows.deletion(db, reconciled=reconciled)
        return testing.CrashMatrix(db, scenario, deletion=deletion).check_all()

    def test_what_belongs_to_nobody_is_removed(self) -> None:
        self.assertGreater(self._check(reconciled=True), 15)

    def test_without_a_reconciler_it_stays(self) -> None:
        text = str(self.assertRaises(AssertionError, self._check, reconciled=False))
        self.assertIn("late effect of port: left behind", text)
        self.assertIn("1 of ", text)


class TestUnsoundFlows(base.UnitTestCase):
    def test_children_that_are_started_too_many_at_a_time(self) -> None:
        db = self.useFixture(DatabaseFixture("sqlite")).db
        self.useFixture(fixtures.MonkeyPatch("trove.tests.unit.workflow.flows.WIDTH", flows.WIDTH - 1))
        flow = flows.family_flow()
        flow.steps[2]._width = flows.WIDTH + 1  # type: ignore[union-attr]
        matrix = testing.CrashMatrix(db, flows.SampleScenario(flow, flows.FAMILY), [flows.member_flow()])
        error = self.assertRaises(AssertionError, matrix.check_all)
        self.assertIn("children were active at a time", str(error))

    def _complaint(self, *steps: object) -> str:
        db = self.useFixture(DatabaseFixture("sqlite")).db
        scenario = flows.SampleScenario(flows.flow(flows.KIND, *steps), flows.KIND)
        matrix = testing.CrashMatrix(db, scenario)
        return str(self.assertRaises(AssertionError, matrix.check_all))

    def test_create_without_looking(self) -> None:
        text = self._complaint(flows.Ensure("port"), _CreatesTwice())
        self.assertIn("crash between effect and checkpoint of server", text)
        self.assertIn("takeover between effect and checkpoint of server", text)
        self.assertNotIn("crash before the effect of server", text)

    def test_undo_by_output(self) -> None:
        text = self._complaint(flows.Ensure("port"), _UndoesByOutput(), flows.Ask("ready"))
        self.assertIn("cancel and crash between effect and checkpoint of volume", text)
        self.assertNotIn("cancel before the effect of", text)

    def test_a_flow_that_fails_undisturbed(self) -> None:
        self.assertIn("undisturbed, the flow ends as REVERTED", self._complaint(flows.Ensure("port"), _FailsLate()))
