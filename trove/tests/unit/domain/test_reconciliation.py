# SPDX-License-Identifier: Apache-2.0
"""What counts as a difference, and what may be removed."""

import datetime
import itertools

from trove.common import ids
from trove.domain import reconciliation as rules
from trove.domain.reconciliation import Finding, Owner, Place, Problem, Seen, Span, Standing
from trove.tests import base

ID = "5d7f0c1e-1111-4222-8333-444455556666"
OWNER = Owner("instance", ID)
NOW = datetime.datetime(2026, 1, 1)
GRACE = datetime.timedelta(hours=1)


def seen(kind: str = "port", problem: Problem = Problem.ORPHANED, outside_id: str = "x") -> Seen:
    return Seen(kind, ids.instance_tag(ID, kind), problem, OWNER, outside_id)


def after(hours: float) -> datetime.datetime:
    return NOW + datetime.timedelta(hours=hours)


class TestOwners(base.UnitTestCase):
    def test_tags_that_we_make(self) -> None:
        for part in ("port", "server", "volume"):
            self.assertEqual(OWNER, rules.owner_of(ids.instance_tag(ID, part)))
        self.assertEqual(Owner("server-group", ID), rules.owner_of(f"server-group:{ID}"))

    def test_other_tags_are_nobodys_business(self) -> None:
        for tag in (
            "",
            "instance:",
            f"instance:{ID}/",
            f"instance:{ID[:-1]}/port",
            f"volume:{ID}",
            f"x-instance:{ID}/port",
            f"instance:{ID}/port/more",
            f"instance:{ID.upper()}/port",
            f"instance:{ID}\n",
            f"instance:{ID}/{'x' * 65}",
        ):
            self.assertIsNone(rules.owner_of(tag), tag)

    def test_every_prefix_is_of_a_kind(self) -> None:
        self.assertEqual(("instance:", "server-group:"), rules.PREFIXES)

    def test_what_is_wrong_with_what_exists(self) -> None:
        self.assertIsNone(rules.problem_of(Standing.LIVE))
        self.assertIsNone(rules.problem_of(Standing.BUSY))
        self.assertIs(Problem.ORPHANED, rules.problem_of(Standing.DELETED))
        self.assertIs(Problem.UNKNOWN, rules.problem_of(None))


class TestMissing(base.UnitTestCase):
    def test_one_page_for_all(self) -> None:
        whole = [Span(kind, "", None) for kind in ("port", "server", "volume")]
        self.assertEqual(whole, list(rules.spans(Place(), None)))

    def test_every_page_takes_over_where_the_one_before_ended(self) -> None:
        ends = [Place("port", "b"), Place("server", "a"), Place("server", "c"), Place("server_group", "x")]
        pages = [list(rules.spans(*pair)) for pair in itertools.pairwise([Place(), *ends])]
        pages.append(list(rules.spans(ends[-1], None)))
        self.assertEqual(
            [
                [Span("port", "", "b")],
                [Span("port", "b", None), Span("server", "", "a")],
                [Span("server", "a", "c")],
                [Span("server", "c", None)],
                [Span("volume", "", None)],
            ],
            pages,
        )

    def test_what_is_not_on_the_page(self) -> None:
        other = ids.new_id()
        listed = {("port", ids.instance_tag(other, "port"))}
        self.assertEqual([seen(problem=Problem.MISSING, outside_id="")], rules.missing("port", [ID, other], listed))


class TestFindings(base.UnitTestCase):
    def test_it_is_remembered_since_when(self) -> None:
        first = rules.remember(None, seen(), NOW)
        again = rules.remember(first, seen(), after(2))
        self.assertEqual((NOW, after(2)), (again.first_seen_at, again.last_seen_at))

    def test_another_thing_of_the_same_tag_begins_anew(self) -> None:
        first = Finding(seen(), NOW, NOW, reported_at=NOW)
        for other in (seen(outside_id="y"), seen(problem=Problem.UNKNOWN)):
            self.assertEqual(Finding(other, after(2), after(2)), rules.remember(first, other, after(2)))

    def test_it_counts_when_it_was_seen_again_after_the_grace_period(self) -> None:
        # However long ago: a comparison that does not come to it says nothing of it.
        self.assertFalse(rules.is_confirmed(Finding(seen(), NOW, NOW), GRACE))
        self.assertFalse(rules.is_confirmed(Finding(seen(), NOW, after(0.9)), GRACE))
        self.assertTrue(rules.is_confirmed(Finding(seen(), NOW, after(1)), GRACE))


class TestRemovals(base.UnitTestCase):
    def test_in_the_order_in_which_they_are_in_use(self) -> None:
        found = [Finding(seen(kind), NOW, after(1)) for kind in ("port", "server", "volume")]
        removed = rules.removals(found, Standing.DELETED, GRACE)
        self.assertEqual(["server", "volume", "port"], [item.kind for item in removed])

    def test_only_what_belongs_to_something_deleted(self) -> None:
        found = [Finding(seen(), NOW, after(1))]
        for standing in (Standing.LIVE, Standing.BUSY, None):
            self.assertEqual((), rules.removals(found, standing, GRACE))

    def test_what_came_last_decides(self) -> None:
        found = [Finding(seen("volume"), NOW, after(5)), Finding(seen("server"), after(4.5), after(5))]
        self.assertEqual((), rules.removals(found, Standing.DELETED, GRACE))

    def test_unknown_and_missing_things_and_kinds_are_left_alone(self) -> None:
        found = [
            Finding(seen("port", Problem.UNKNOWN), NOW, after(1)),
            Finding(seen("volume", Problem.MISSING), NOW, NOW),
            Finding(seen("balancer"), NOW, after(1)),
            Finding(seen("server"), NOW, after(1)),
        ]
        self.assertEqual((found[-1].seen,), rules.removals(found, Standing.DELETED, GRACE))
