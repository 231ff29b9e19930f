# SPDX-License-Identifier: Apache-2.0
"""What operations take out of a quota, and that it comes back once."""

from trove.common import exception
from trove.domain import operations
from trove.objects import catalog
from trove.operations import quotas
from trove.operations.accepted import Accepted
from trove.tests.unit.operations import case

SIZES = {"size_gib": 5, "old_size_gib": 2}


def _shapes(old: int, new: int) -> dict[str, dict[str, int]]:
    return {"old": {"ram_mib": old}, "new": {"ram_mib": new}}


class QuotasTest(case.OperationsCase):
    def test_an_instance(self) -> None:
        self.conf.set_override("max_instances_per_tenant", 2)
        with self.work() as work:
            instance = self.instance(work)
            version = catalog.DatastoreVersion.get(work.session, instance.datastore_version_id)
            quotas.take_for_instance(work, "p", version, ram_mib=512, volume_gib=2)
        own = f"instances:{version.datastore_id}"
        self.assertEqual({"instances": 2, "ram": 1024, "volumes": 4, own: 1}, self.used())

        def take() -> None:
            with self.work() as work:
                quotas.take_for_instance(work, "p", version, ram_mib=512, volume_gib=2)

        self.assertRaises(exception.QuotaExceeded, take)
        with self.work() as work:
            quotas.free_instance(work.session, instance)
        self.assertEqual({"instances": 1, "ram": 512, "volumes": 2}, self.used())

    def test_a_larger_shape_takes_and_gives_back(self) -> None:
        for old, new, taken in ((512, 1024, 1024), (1024, 512, 512), (512, 512, 512)):
            with self.work() as work:
                quotas.take(work, operations.INSTANCE_RESIZE_FLAVOR, "p", _shapes(old, new))
            self.assertEqual(taken, self.used()["ram"])
            accepted = Accepted("instance.resize_flavor", self.instance_id, _shapes(old, new))
            with self.work() as work:
                quotas.give_back(work.session, accepted)
            self.assertEqual(512, self.used()["ram"])

    def test_a_smaller_shape_frees(self) -> None:
        accepted = Accepted("instance.resize_flavor", self.instance_id, _shapes(512, 256))
        with self.work() as work:
            quotas.free(work.session, accepted)
        self.assertEqual(256, self.used()["ram"])

    def test_a_volume_that_has_grown_all_the_same_is_not_given_back(self) -> None:
        accepted = Accepted("instance.resize_volume", self.instance_id, SIZES)
        for grown, left in ((False, 2), (True, 5)):
            with self.work() as work:
                quotas.take(work, operations.INSTANCE_RESIZE_VOLUME, "p", SIZES)
                if grown:
                    type(self.instance(work)).publish(work.session, self.instance_id, {"volume_gib": 5})
            with self.work() as work:
                quotas.give_back(work.session, accepted)
            self.assertEqual(left, self.used()["volumes"])

    def test_what_takes_nothing_gives_nothing_back(self) -> None:
        before = self.used()
        for kind in operations.KINDS.values():
            if kind not in (operations.INSTANCE_RESIZE_FLAVOR, operations.INSTANCE_RESIZE_VOLUME):
                with self.work() as work:
                    quotas.take(work, kind, "p", {})
                    quotas.give_back(work.session, Accepted(kind.name, "not an instance", {}))
                    quotas.free(work.session, Accepted(kind.name, "not an instance", {}))
        self.assertEqual(before, self.used())
