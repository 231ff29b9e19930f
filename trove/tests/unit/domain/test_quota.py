# SPDX-License-Identifier: Apache-2.0
"""Quota arithmetic."""

from trove.domain import quota
from trove.tests import base


class TestExcesses(base.UnitTestCase):
    limits = {"instances": 2, "ram": quota.UNLIMITED, "volumes": 10}

    def test_up_to_the_limit_fits(self) -> None:
        deltas = {"instances": 1, "ram": 10**9, "volumes": 4}
        self.assertEqual([], quota.excesses(self.limits, {"instances": 1, "volumes": 6}, deltas))

    def test_all_that_does_not_fit_is_named(self) -> None:
        found = quota.excesses(self.limits, {"instances": 2}, {"volumes": 11, "instances": 1})
        self.assertEqual(
            [quota.Excess("instances", 1, 2, 2), quota.Excess("volumes", 11, 0, 10)],
            found,
        )
        self.assertEqual("volumes: requested 11, in use 0, limit 10", str(found[1]))

    def test_giving_back_is_allowed_above_a_lowered_limit(self) -> None:
        self.assertEqual([], quota.excesses(self.limits, {"instances": 9}, {"instances": -1, "volumes": 0}))

    def test_instance_usage(self) -> None:
        self.assertEqual({"instances": 1, "ram": 512, "volumes": 2}, quota.instance_usage(512, 2))
        self.assertLessEqual(set(quota.instance_usage(1, 1)), set(quota.RESOURCES))


class TestOfDatastore(base.UnitTestCase):
    def test_an_instance_counts_for_its_datastore(self) -> None:
        used = quota.instance_usage(512, 2, "d-1")
        self.assertEqual({**quota.instance_usage(512, 2), "instances:d-1": 1}, used)

    def test_there_and_back(self) -> None:
        self.assertEqual("mysql", quota.datastore_of(quota.of_datastore("mysql")))
        self.assertEqual([None] * 4, [quota.datastore_of(resource) for resource in quota.RESOURCES])
        self.assertEqual("", quota.datastore_of("instances:"))
