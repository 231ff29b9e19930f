# SPDX-License-Identifier: Apache-2.0
"""Every method of the provider interface either looks or asks for the lease first."""

import contextlib
import inspect
import threading
from typing import Any

from trove.domain.shape import Shape
from trove.providers import base, guarded
from trove.providers.fake import FakeProvider
from trove.tests import base as tests

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "list": ("instance:", None, 10),
    "ensure_port": (base.PortSpec("p", 5432),),
    "set_access": ("p", base.Access()),
    "ensure_volume": (base.VolumeSpec("v", 1),),
    "ensure_server": (base.ServerSpec("s", "name", Shape(1, 512), "p", "v", "none"),),
    "resize_server": ("s", Shape(2, 1024)),
    "migrate_server": ("s", None),
}


def methods() -> list[str]:
    """Return the names of all methods of the interface."""
    return [name for name, _ in inspect.getmembers(base.Provider, inspect.isfunction) if not name.startswith("_")]


class TestGuarded(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud = FakeProvider()
        self.lost = threading.Event()
        self.provider = guarded.Guarded(self.cloud, self.lost)

    def call(self, name: str) -> Any:
        return getattr(self.provider, name)(*ARGUMENTS.get(name, ("p",)))

    def test_it_is_a_provider(self) -> None:
        self.assertIsInstance(self.provider, base.Provider)
        self.assertEqual((self.cloud.name, self.cloud.capabilities), (self.provider.name, self.provider.capabilities))

    def test_what_only_looks_is_named_so(self) -> None:
        looking = {name for name in methods() if name == "list" or name.startswith("find_")}
        self.assertEqual(looking, set(base.LOOKING))

    def test_while_the_lease_lasts_every_method_is_passed_on(self) -> None:
        for name in methods():
            before = len(self.cloud.calls)
            with contextlib.suppress(base.ProviderError):  # the cloud's own answer, to a call that has reached it
                self.call(name)
            self.assertEqual([name], [call.method for call in self.cloud.calls[before:]])

    def test_after_it_nothing_is_changed_and_everything_may_be_looked_at(self) -> None:
        self.lost.set()
        for name in methods():
            before = len(self.cloud.calls)
            if name in base.LOOKING:
                self.call(name)
                self.assertEqual(1, len(self.cloud.calls) - before, name)
            else:
                error = self.assertRaises(guarded.LeaseEnded, self.call, name)
                self.assertIn(f"{name} of provider fake was not called", str(error))
                self.assertEqual(before, len(self.cloud.calls), name)
        self.assertNotIsInstance(error, base.ProviderError)  # which a step would turn into an answer
