# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/instance_set.py
"""Sets of instances: one for each, made with it, gone with its last member; terms and compare-and-set."""

import sqlalchemy as sa

from trove.common import exception, ids
from trove.db import models
from trove.domain.sets import Progress
from trove.objects import errors
from trove.objects.instance import Instance
from trove.objects.instance_set import InstanceSet
from trove.objects.scope import Scope
from trove.tests.functional.db import case


class Sets(case.EveryDatabase):
    def read(self, set_id: str) -> InstanceSet:
        with self.db.reader() as session:
            return InstanceSet.get(session, set_id)

    def count(self) -> int:
        with self.db.reader() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(models.InstanceSet)) or 0

    def delete(self, instance: Instance) -> None:
        with self.db.writer() as session:
            row = Instance.get(session, Scope.ALL, instance.id)
            row.process_event(session, "delete")
            row.mark_deleted(session)

    def of_a_former_release(self) -> Instance:
        """Store an instance as a process of the former release does."""
        instance = self.make_instance()
        with self.db.writer() as session:
            session.execute(sa.update(models.Instance).values(set_id=None))
            session.execute(sa.delete(models.InstanceSet))
        with self.db.reader() as session:
            return Instance.get(session, Scope.ALL, instance.id)

    def pair(self) -> tuple[Instance, Instance]:
        first = self.make_instance()
        return first, self.make_instance(set_id=first.set_id)

    def test_an_instance_is_made_with_a_set_in_which_it_is_alone(self) -> None:
        instance = self.make_instance()
        found = self.read(instance.set_id)
        self.assertEqual((instance.id, instance.id, 0), (found.target_primary, found.current_primary, found.term))
        self.assertEqual(("p", "replication", Progress.NOTHING), (found.project_id, found.kind, found.progress))
        with self.db.writer() as session:
            self.assertEqual([instance.id], found.members(session))
            self.assertEqual(found.id, InstanceSet.of(session, instance).id)

    def test_one_set_for_an_instance_without_however_many_ask(self) -> None:
        instance = self.of_a_former_release()

        def ask() -> str:
            with self.db.writer() as session:
                return str(InstanceSet.of(session, Instance.get(session, Scope.ALL, instance.id)).id)

        found = self.at_once(*[ask] * 4)
        self.assertEqual(1, len(set(found)), found)
        self.assertEqual(1, self.count())
        with self.db.reader() as session:
            again = Instance.get(session, Scope.ALL, instance.id)
        self.assertEqual((found[0], instance.revision), (again.set_id, again.revision))

    def test_an_instance_that_waits_to_be_saved_can_be_given_its_set(self) -> None:
        instance = self.of_a_former_release()
        instance.name = "other"
        with self.db.writer() as session:
            made = InstanceSet.of(session, instance)
            instance.save(session)
            self.assertEqual(("other", made.id), (instance.name, instance.set_id))

    def test_the_set_goes_with_its_last_member(self) -> None:
        first, second = self.pair()
        self.delete(first)
        found = self.read(first.set_id)
        self.assertEqual(
            (None, None, Progress.NO_PRIMARY), (found.target_primary, found.current_primary, found.progress)
        )
        with self.db.reader() as session:
            self.assertEqual([second.id], found.members(session))
        self.delete(second)
        self.assertRaises(errors.SetNotFound, self.read, first.set_id)
        with self.db.writer() as session:
            gone = Instance.get(session, Scope.ALL, second.id, include_deleted=True)
            self.assertRaises(errors.InstanceNotFound, InstanceSet.of, session, gone)

    def test_two_that_leave_at_once_leave_no_set(self) -> None:
        pair = self.pair()
        with self.db.writer() as session:
            for instance in pair:
                Instance.get(session, Scope.ALL, instance.id).process_event(session, "delete")

        def leave(instance: Instance) -> None:
            with self.db.writer() as session:
                Instance.get(session, Scope.ALL, instance.id).mark_deleted(session)

        self.assertEqual([None, None], self.at_once(*(lambda each=item: leave(each) for item in pair)))
        self.assertEqual(0, self.count())

    def test_a_new_target_has_the_next_term(self) -> None:
        first, second = self.pair()
        with self.db.writer() as session:
            found = InstanceSet.of(session, first)
            found.promote(session, second.id)
        again = self.read(first.set_id)
        self.assertEqual((1, second.id, first.id), (again.term, again.target_primary, again.current_primary))
        self.assertIs(Progress.HANDOVER, again.progress)
        with self.db.writer() as session:
            again.current_primary = second.id
            again.save(session)
            again.promote(session, second.id)
        self.assertEqual((2, 4, Progress.NOTHING), (again.term, again.revision, again.progress))

    def test_of_two_promotions_one_is_refused(self) -> None:
        first, second = self.pair()
        known = self.read(first.set_id)
        with self.db.writer() as session:
            InstanceSet.of(session, first).promote(session, second.id)
        with self.db.writer() as session:
            self.assertRaises(exception.StaleObject, known.promote, session, first.id)
            known.policy = "all"
            self.assertRaises(exception.StaleObject, known.save, session)
        self.assertEqual((1, second.id), (self.read(first.set_id).term, self.read(first.set_id).target_primary))

    def test_only_a_member_is_promoted_and_only_so(self) -> None:
        first, second = self.pair()
        stranger = self.make_instance()
        self.delete(second)
        with self.db.writer() as session:
            found = InstanceSet.of(session, first)
            for instance_id in (stranger.id, second.id, ids.new_id()):
                self.assertRaises(ValueError, found.promote, session, instance_id)
            found.target_primary = stranger.id
            self.assertRaises(ValueError, found.save, session)
        self.assertEqual(0, self.read(first.set_id).term)

    def test_the_place_is_written_once(self) -> None:
        instance = self.make_instance()
        with self.db.writer() as session:
            Instance.place(session, instance.id, provider="local", host="a", zone="z")
            Instance.place(session, instance.id, provider="cloud", host=None, zone=None)
            found = Instance.get(session, Scope.ALL, instance.id)
            self.assertEqual(("local", "a", "z", 1), (found.provider, found.host, found.zone, found.revision))
            found.host = "b"
            self.assertRaises(ValueError, found.save, session)
