# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/finding.py
# covers: trove/objects/ownership.py
# covers: trove/objects/reconciliation.py
"""Comparisons with providers and what they find, on every database."""

import datetime

from trove.common import ids
from trove.domain.reconciliation import Finding, Owner, Place, Problem, Seen, Standing
from trove.objects import finding, ownership, reconciliation
from trove.objects.instance import Instance
from trove.objects.reconciliation import Position, Scope
from trove.tests.functional.db import case

SCOPE = Scope("local", "host-1")
OTHER = Scope("local", "host-2")
START = datetime.datetime(2026, 1, 1, 12, 0, 0, 123456)
MINUTE = datetime.timedelta(minutes=1)


def seen(owner_id: str, kind: str = "port", problem: Problem = Problem.ORPHANED) -> Seen:
    return Seen(kind, ids.instance_tag(owner_id, kind), problem, Owner("instance", owner_id), "x", "10.0.0.1")


class Comparisons(case.EveryDatabase):
    def claim(self, owner: str, moment: datetime.datetime, scope: Scope = SCOPE) -> bool:
        with self.db.writer() as session:
            return reconciliation.claim(session, scope, owner, moment, 60.0)

    def test_one_process_at_a_time_for_as_long_as_its_claim_lasts(self) -> None:
        self.assertEqual([True, False, True], [self.claim("a", START), self.claim("b", START), self.claim("a", START)])
        self.assertTrue(self.claim("b", START, OTHER))
        self.assertTrue(self.claim("b", START + MINUTE))
        self.assertFalse(self.claim("a", START + MINUTE))

    def test_many_at_once(self) -> None:
        results = self.at_once(*(lambda name=name: self.claim(name, START) for name in "abcd"))
        self.assertEqual([False, False, False, True], sorted(results))

    def test_who_was_overtaken_moves_nothing(self) -> None:
        self.claim("a", START)
        self.claim("b", START + MINUTE)
        with self.db.writer() as session:
            self.assertFalse(reconciliation.advance(session, SCOPE, "a", None))
            self.assertFalse(reconciliation.begin(session, SCOPE, "a", START))
            reconciliation.release(session, SCOPE, "a")
            known = reconciliation.get(session, SCOPE)
        assert known is not None
        self.assertEqual(("b", Position()), (known.owner, known.position))
        self.assertTrue(known.is_taken("a", START + MINUTE))
        self.assertFalse(known.is_taken("b", START + MINUTE))

    def test_it_goes_on_where_it_was(self) -> None:
        self.claim("a", START)
        where = Position(1, "port instance:x/port", Place("port", "x"))
        with self.db.writer() as session:
            self.assertTrue(reconciliation.advance(session, SCOPE, "a", where))
            reconciliation.release(session, SCOPE, "a")
        with self.db.writer() as session:
            known = reconciliation.get(session, SCOPE)
            assert known is not None
            self.assertEqual((None, START, where), (known.owner, known.started_at, known.position))
            self.assertIsNone(reconciliation.get(session, OTHER))


class Findings(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        self.ids = sorted(ids.new_id() for _ in range(3))

    def save(self, *found: Finding, scope: Scope = SCOPE) -> None:
        with self.db.writer() as session:
            finding.save(session, scope, found)

    def test_what_was_seen_again_replaces_what_was_known(self) -> None:
        first = Finding(seen(self.ids[0]), START, START)
        self.save(first, Finding(seen(self.ids[1]), START, START))
        again = Finding(seen(self.ids[0]), START, START + MINUTE, START)
        self.save(again)
        self.save(first, scope=OTHER)
        with self.db.reader() as session:
            known = finding.of_tags(session, SCOPE, [first.seen.tag])
            everywhere = finding.of_owner(session, first.seen.owner)
        self.assertEqual({("port", first.seen.tag): again}, known)
        self.assertEqual({(SCOPE, again), (OTHER, first)}, {(row.scope, row.finding) for row in everywhere})

    def test_what_was_not_seen_again_is_forgotten(self) -> None:
        self.save(Finding(seen(self.ids[0]), START, START), Finding(seen(self.ids[1]), START, START + MINUTE))
        self.save(Finding(seen(self.ids[0]), START, START), scope=OTHER)
        with self.db.writer() as session:
            self.assertEqual(1, finding.forget_unseen(session, SCOPE, START + MINUTE))
        with self.db.reader() as session:
            left = [(row.scope, row.finding.seen.owner.id) for row in finding.list_rows(session)]
        self.assertEqual([(SCOPE, self.ids[1]), (OTHER, self.ids[0])], sorted(left))

    def test_whose_turn_it_is(self) -> None:
        self.save(*(Finding(seen(self.ids[n]), START + n * MINUTE, START + 5 * MINUTE) for n in range(3)))
        self.save(Finding(seen(ids.new_id(), "port", Problem.UNKNOWN), START, START))

        def turns(limit: int = 10) -> list[str]:
            with self.db.reader() as session:
                late, tried = START + MINUTE, START + 9 * MINUTE
                found = finding.orphans(session, SCOPE, seen_before=late, tried_before=tried, limit=limit)
            return [owner.id for owner in found]

        self.assertEqual((self.ids[:2], self.ids[:1]), (turns(), turns(1)))
        with self.db.writer() as session:
            finding.tried(session, SCOPE, Owner("instance", self.ids[0]), START + 2 * MINUTE, "no\x00pe" * 9999)
        self.assertEqual(self.ids[1::-1], turns())

    def test_each_is_reported_once(self) -> None:
        found = [Finding(seen(self.ids[n], "port", Problem.MISSING), START, START + MINUTE) for n in range(2)]
        self.save(*found)

        def due(*problems: Problem) -> list[Finding]:
            with self.db.reader() as session:
                return finding.unreported(session, SCOPE, problems, before=START, limit=10)

        self.assertEqual((found, []), (due(*Problem), due(Problem.UNKNOWN)))
        with self.db.writer() as session:
            finding.mark_reported(session, SCOPE, [found[0].seen], START)
        self.assertEqual(found[1:], due(Problem.MISSING))

    def test_one_is_forgotten(self) -> None:
        self.save(Finding(seen(self.ids[0]), START, START), Finding(seen(self.ids[0], "volume"), START, START))
        with self.db.writer() as session:
            finding.forget(session, SCOPE, seen(self.ids[0]))
            (row,) = finding.list_rows(session, problem=Problem.ORPHANED)
        self.assertEqual("volume", row.finding.seen.kind)


class Owners(case.EveryDatabase):
    def delete(self, instance: Instance) -> None:
        with self.db.writer() as session:
            instance.process_event(session, "delete")
            instance.mark_deleted(session)

    def test_instances(self) -> None:
        live, gone, unknown = self.make_instance(), self.make_instance(), ids.new_id()
        self.delete(gone)
        with self.db.reader() as session:
            self.assertEqual(
                {live.id: Standing.LIVE, gone.id: Standing.DELETED},
                ownership.instances(session, [live.id, gone.id, unknown]),
            )
            self.assertEqual({}, ownership.instances(session, []))

    def test_groups(self) -> None:
        shared, left, unknown = (ids.new_id() for _ in range(3))
        self.make_instance(server_group_id=shared)
        for group in (shared, left):
            self.delete(self.make_instance(server_group_id=group))
        with self.db.reader() as session:
            found = ownership.server_groups(session, [shared, left, unknown])
        self.assertEqual({shared: Standing.LIVE, left: Standing.DELETED}, found)

    def test_who_has_a_thing_of_a_kind(self) -> None:
        made = sorted((self.make_instance() for _ in range(5)), key=lambda instance: instance.id)
        with self.db.writer() as session:
            for instance in made[:4]:
                Instance.publish(session, instance.id, {"volume_id": "v", "server_id": "s", "port": 1})
        with self.db.reader() as session:
            known = [item.id for item in made]
            self.assertEqual(known[:4], ownership.having(session, "volume", "", None, 10))
            self.assertEqual(known[1:3], ownership.having(session, "server", known[0], known[2], 10))
            self.assertEqual(known[:1], ownership.having(session, "port", "", None, 1))

    def test_what_is_on_another_host_is_not_expected_here(self) -> None:
        made = [self.make_instance(volume_id="v") for _ in range(4)]
        places: list[tuple[str, str | None]] = [("local", "a"), ("local", "b"), ("cloud", None)]
        with self.db.writer() as session:
            for instance, (provider, host) in zip(made, places, strict=False):
                Instance.place(session, instance.id, provider=provider, host=host, zone=None)
            unplaced = made[3].id
            for index, scope in enumerate((Scope("local", "a"), Scope("local", "b"), Scope("cloud", ""))):
                expected = sorted([made[index].id, unplaced])
                self.assertEqual(expected, ownership.having(session, "volume", "", None, 10, scope=scope))
