# SPDX-License-Identifier: Apache-2.0
"""The scripted faults of the fake provider; the contract suite tests the rest."""

import dataclasses

from trove.domain.shape import Shape
from trove.providers import base, fake
from trove.tests import base as tests

PORT = base.PortSpec("p", 5432)
VOLUME = base.VolumeSpec("v", 1)
SERVER = base.ServerSpec("s", "name", Shape(1, 512), "p", "v", "none", bootstrap=b"{}")


class FakeProviderTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud = fake.FakeProvider()

    def server(self) -> base.Server:
        self.cloud.ensure_port(PORT)
        self.cloud.ensure_volume(VOLUME)
        return self.cloud.ensure_server(SERVER)

    def test_failure_makes_nothing_and_is_for_one_call(self) -> None:
        self.cloud.fail_next("ensure_port", base.QuotaError("full"))
        self.assertRaises(base.QuotaError, self.cloud.ensure_port, PORT)
        self.assertEqual({}, self.cloud.resources()["port"])
        self.cloud.ensure_port(PORT)

    def test_failures_queue_up(self) -> None:
        self.cloud.fail_next("find_port", base.RetryableError("1"), times=2)
        self.cloud.fail_next("find_port", base.FatalError("2"))
        for kind in (base.RetryableError, base.RetryableError, base.FatalError):
            self.assertRaises(kind, self.cloud.find_port, "p")
        self.assertIsNone(self.cloud.find_port("p"))

    def test_lost_response_makes_the_thing(self) -> None:
        self.cloud.lose_response("ensure_volume")
        self.assertRaises(base.RetryableError, self.cloud.ensure_volume, VOLUME)
        made = self.cloud.resources()["volume"]["v"]
        self.assertEqual(made, self.cloud.ensure_volume(VOLUME))

    def test_lost_response_of_a_removal(self) -> None:
        self.server()
        self.cloud.lose_response("remove_server")
        self.assertRaises(base.RetryableError, self.cloud.remove_server, "s")
        self.assertEqual({}, self.cloud.resources()["server"])

    def test_delay_counts_answers(self) -> None:
        self.cloud.delay_until("ensure_volume", 2)
        seen = [self.cloud.ensure_volume(VOLUME).status, self.cloud.find_volume("v").status]
        self.assertEqual([base.Status.PENDING] * 2, seen)
        self.assertIs(base.Status.PENDING, self.cloud.resources()["volume"]["v"].status)  # no poll
        self.assertIs(base.Status.READY, self.cloud.find_volume("v").status)

    def test_delay_by_predicate(self) -> None:
        open_gate: list[bool] = []
        self.cloud.delay_until("ensure_server", lambda: bool(open_gate))
        self.assertIs(base.Status.PENDING, self.server().status)
        self.assertIs(base.Status.PENDING, self.cloud.find_server("s").status)
        open_gate.append(True)
        self.assertIs(base.Status.READY, self.cloud.find_server("s").status)

    def test_delay_of_growing_resizing_and_restarting(self) -> None:
        self.server()
        for method, args in (
            ("ensure_volume", (base.VolumeSpec("v", 2),)),
            ("resize_server", ("s", Shape(2, 1024))),
            ("restart_server", ("s",)),
            ("migrate_server", ("s", None)),
        ):
            self.cloud.delay_until(method, 1)
            self.assertIs(base.Status.PENDING, getattr(self.cloud, method)(*args).status)
            self.assertIs(base.Status.READY, getattr(self.cloud, method)(*args).status)

    def test_a_server_moves_once_until_it_is_ready(self) -> None:
        self.server()
        self.cloud.delay_until("migrate_server", 2)
        for _ in range(3):
            self.cloud.migrate_server("s", None)
        self.assertEqual(fake.HOSTS[1], self.cloud.host_of("s"))
        for _ in range(2):
            self.cloud.migrate_server("s", fake.HOSTS[0])
        self.assertEqual(fake.HOSTS[0], self.cloud.host_of("s"))

    def test_a_cloud_that_cannot_move_servers(self) -> None:
        self.cloud = fake.FakeProvider(capabilities=())
        self.server()
        self.assertRaises(base.FatalError, self.cloud.migrate_server, "s", None)

    def test_delay_of_a_removal(self) -> None:
        self.server()
        self.cloud.delay_until("remove_server", 2)
        self.assertEqual([False, False], [self.cloud.remove_server("s") for _ in range(2)])
        self.assertIs(base.Status.PENDING, self.cloud.find_server("s").status)
        self.assertRaises(base.RetryableError, self.cloud.ensure_server, SERVER)
        self.assertIs(True, self.cloud.remove_server("s"))

    def test_standing_delay(self) -> None:
        self.cloud.delay_until("ensure_volume", 1, always=True)
        for tag in ("a", "b"):
            self.assertIs(base.Status.PENDING, self.cloud.ensure_volume(base.VolumeSpec(tag, 1)).status)

    def test_unknown_method_is_refused(self) -> None:
        self.assertRaises(ValueError, self.cloud.fail_next, "create_server", base.FatalError())
        self.assertRaises(ValueError, self.cloud.delay_until, "ensure_port", 1)

    def test_set_failed(self) -> None:
        self.server()
        self.cloud.set_failed("s", "no valid host")
        self.assertEqual((base.Status.FAILED, "no valid host"), dataclasses.astuple(self.cloud.find_server("s"))[-2:])
        self.cloud.set_failed("v", "broken")
        self.assertIs(base.Status.FAILED, self.cloud.ensure_volume(VOLUME).status)

    def test_ids_are_the_same_in_every_run_and_differ_when_made_again(self) -> None:
        first = self.server()
        other = fake.FakeProvider()
        other.ensure_volume(VOLUME)  # another order
        other.ensure_port(PORT)
        self.assertEqual(first, other.ensure_server(SERVER))
        self.assertEqual(self.cloud.resources(), other.resources())
        other.remove_server("s")
        self.assertNotEqual(first.id, other.ensure_server(SERVER).id)

    def test_bootstrap_can_be_read_but_is_not_shown(self) -> None:
        self.server()
        self.assertEqual(b"{}", self.cloud.bootstrap("s"))
        self.assertNotIn("{}", repr(SERVER))

    def test_calls_are_recorded(self) -> None:
        self.server()
        self.assertEqual([("ensure_port", "p"), ("ensure_volume", "v"), ("ensure_server", "s")], self.cloud.calls)
