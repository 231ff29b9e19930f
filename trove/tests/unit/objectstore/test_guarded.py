# SPDX-License-Identifier: Apache-2.0
"""Every method of the object store's interface either looks or asks for the lease first."""

import inspect
import threading
from typing import Any

from trove.common.lease import LeaseEnded
from trove.objectstore import base, guarded
from trove.objectstore.filesystem import FilesystemStore
from trove.tests import base as tests

OBJECT = ("project", "container", "name")
ARGUMENTS: dict[str, tuple[Any, ...]] = {"put": (*OBJECT, [b"content"]), "find": OBJECT[:2], "sweep": ()}


def methods() -> list[str]:
    """Return the names of all methods of the interface."""
    return [name for name, _ in inspect.getmembers(base.ObjectStore, inspect.isfunction) if not name.startswith("_")]


class TestGuardedStore(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lost = threading.Event()
        self.store = guarded.GuardedStore(FilesystemStore(self.tempdir()), self.lost)

    def call(self, name: str) -> Any:
        return getattr(self.store, name)(*ARGUMENTS.get(name, OBJECT))

    def test_while_the_lease_lasts_every_method_is_passed_on(self) -> None:
        self.assertEqual(7, self.call("put").size)
        self.assertEqual(b"content", b"".join(self.call("get")))
        self.assertEqual(7, self.call("head").size)
        self.assertEqual(["name"], [item.name for item in self.call("find")])
        self.assertEqual(0, self.call("sweep"))
        self.call("remove")
        self.assertEqual([], list(self.call("find")))

    def test_after_it_nothing_is_changed_and_everything_may_be_looked_at(self) -> None:
        self.call("put")
        self.lost.set()
        for name in methods():
            if name in guarded.LOOKING:
                self.call(name)
            else:
                self.assertRaises(LeaseEnded, self.call, name)
        self.assertEqual(["name"], [item.name for item in self.call("find")])
