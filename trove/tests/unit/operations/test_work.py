# SPDX-License-Identifier: Apache-2.0
"""One transaction, repeated when it collides, and its hints."""

from oslo_db import exception as db_exception

from trove.common import exception
from trove.objects import errors
from trove.objects.scope import Scope
from trove.operations import work as operations
from trove.operations.caller import Caller
from trove.operations.work import Work
from trove.tests.fixtures.clock import ManualClock
from trove.tests.unit.operations import case


class PerformTest(case.OperationsCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.useFixture(ManualClock())
        self.tries = 0

    def rename(self, work: Work) -> str:
        """Change something, and have hints sent."""
        self.tries += 1
        instance = self.instance(work)
        instance.assign({"name": f"n{self.tries}"})
        instance.save(work.session)
        work.wakes += ["w", "w"]
        work.deliveries += ["i", "i"]
        self.assertEqual(([], []), (self.hints.woken, self.hints.delivered))
        return f"answer {self.tries}"

    def test_hints_follow_the_commit_once_each(self) -> None:
        self.assertEqual("answer 1", operations.perform(self.services, self.caller, self.rename))
        self.assertEqual((["w"], ["i"], "n1"), (self.hints.woken, self.hints.delivered, self.row().name))

    def test_what_is_refused_changes_nothing(self) -> None:
        def refuse(work: Work) -> None:
            self.rename(work)
            raise exception.BadRequest("no")

        self.assertRaises(exception.BadRequest, operations.perform, self.services, self.caller, refuse)
        self.assertEqual(
            ([], [], "db", []), (self.hints.woken, self.hints.delivered, self.row().name, self.clock.pauses)
        )

    def test_a_collision_is_repeated_from_the_start(self) -> None:
        for error in (exception.StaleObject(), db_exception.DBDeadlock()):
            self.tries = 0

            def collide(work: Work, error: Exception = error) -> str:
                answer = self.rename(work)
                if self.tries < 3:
                    raise error
                return answer

            self.assertEqual("answer 3", operations.perform(self.services, self.caller, collide))
            self.assertEqual("n3", self.row().name)
            self.hints.woken.clear()
            self.hints.delivered.clear()

    def test_the_pauses_have_a_bound(self) -> None:
        for error in (exception.StaleObject("stale"), db_exception.DBDeadlock()):
            self.clock.pauses.clear()
            self.tries = 0

            def collide(_work: Work, error: Exception = error) -> None:
                self.tries += 1
                raise error

            refused = self.assertRaises(exception.Conflict, operations.perform, self.services, self.caller, collide)
            self.assertEqual(409, refused.code)
            self.assertRegex(str(refused), "stale|repeat the request")
            self.assertGreater(self.tries, 4)
            self.assertLessEqual(sum(self.clock.pauses), operations.MOST_PAUSES + 1e-6)
        self.assertLessEqual(operations.MOST_PAUSES, 1.0)

    def test_a_lost_connection_is_not_repeated(self) -> None:
        def lose(_work: Work) -> None:
            self.tries += 1
            raise db_exception.DBConnectionError()

        self.assertRaises(db_exception.DBConnectionError, operations.perform, self.services, self.caller, lose)
        self.assertEqual(1, self.tries)


class WorkTest(case.OperationsCase):
    def test_the_caller_sees_its_own(self) -> None:
        stranger = Caller("api", "a test", Scope.project("q"))
        with self.db.reader() as session:
            self.assertRaises(
                errors.InstanceNotFound, Work(stranger, self.conf, self.store, session).instance, self.instance_id
            )
            own = Work(self.caller, self.conf, self.store, session)
            self.assertEqual(self.instance_id, own.instance(self.instance_id).id)
