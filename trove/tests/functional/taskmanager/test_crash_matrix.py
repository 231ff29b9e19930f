# SPDX-License-Identifier: Apache-2.0
# covers: trove/taskmanager/steps
"""Every registered flow, crashed, taken over, cancelled and failed at every point, on every database system; and every
call to the cloud with its reply lost."""

from collections.abc import Callable

from trove.providers import fake
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.functional.taskmanager import scenarios
from trove.workflow import testing
from trove.workflow.model import State
from trove.workflow.testing import Act, Point


class _Matrix:
    dialect = ""
    timeout = 900  # hundreds of plays: half a minute where nobody else works, and many where somebody does

    def _check(self, name: str) -> None:
        db = self.useFixture(DatabaseFixture(self.dialect)).db
        scenario = scenarios.InstanceScenario(name)
        matrix = testing.CrashMatrix(db, scenario)
        self.assertGreater(matrix.check_all(), 5)
        self._lose_replies(matrix, scenario)

    def _lose_replies(self, matrix: testing.CrashMatrix, scenario: scenarios.InstanceScenario) -> None:
        clouds: list[fake.FakeProvider] = []
        scenario.script = clouds.append
        whole = matrix.play({})
        self.assertEqual(State.SUCCEEDED, whole.state)
        called = {call.method for call in clouds[-1].calls}
        last = max(i for i, event in enumerate(whole.events) if event.point is Point.BEFORE)
        given_up = matrix.play({last: Act.CANCEL})
        undoing = {call.method for call in clouds[-1].calls} - called
        # Where a method is not called, losing its reply is nothing: that would be the same play once more.
        for method in sorted(fake.METHODS):
            scenario.script = lambda provider, method=method: provider.lose_response(method)
            if method in called:
                played = matrix.play({})
                self.assertEqual((State.SUCCEEDED, whole.snapshot), (played.state, played.snapshot), method)
            elif method in undoing:
                played = matrix.play({last: Act.CANCEL})
                self.assertEqual((given_up.state, given_up.snapshot), (played.state, played.snapshot), method)
        scenario.script = lambda _provider: None


def _tests_of(*names: str) -> Callable[[type], type]:
    def add(cls: type) -> type:
        for name in names:

            def test(self: _Matrix, name: str = name) -> None:
                self._check(name)

            setattr(cls, f"test_{name.replace('-', '_')}", test)
        return cls

    return add


class TestCompleteness(base.FunctionalTestCase):
    def test_every_flow_has_a_trial(self) -> None:
        tried = {(trial.kind.name, trial.kind.version) for trial in scenarios.TRIALS.values()}
        self.assertEqual(set(scenarios.REGISTRY.keys()), tried)


#: One of each shape: the nine changes inside a database differ only in their command.
_REPRESENTATIVE = (
    "create",
    "delete",
    "restart",
    "configure",
    "reboot",
    "resize-larger",
    "resize-volume",
    "user-create",
    "root-enable",
)


@_tests_of(*scenarios.TRIALS)
class TestSQLite(_Matrix, base.FunctionalTestCase):
    dialect = "sqlite"


@_tests_of(*_REPRESENTATIVE)
class TestMySQL(_Matrix, base.FunctionalTestCase):
    dialect = "mysql"


@_tests_of(*_REPRESENTATIVE)
class TestPostgreSQL(_Matrix, base.FunctionalTestCase):
    dialect = "postgresql"
