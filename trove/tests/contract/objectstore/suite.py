# SPDX-License-Identifier: Apache-2.0
"""What every object store must do; a driver's test derives from :class:`StoreSuite`."""

import hashlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trove.common import clock
from trove.objectstore import base
from trove.tests import base as tests

PROJECT = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
CONTAINER = "database_logs"
#: More than one piece, and no multiple of a piece.
LARGE = bytes(range(256)) * 1000 + b"end"

if TYPE_CHECKING:
    _Base = tests.FunctionalTestCase
else:
    _Base = object


class StoreSuite(_Base):
    """:meth:`make` returns the store; every test uses names of its own, so that one store may serve all."""

    store: base.ObjectStore

    def content(self, name: str, project: str = PROJECT) -> bytes:
        """Return the whole content of an object."""
        return b"".join(self.store.get(project, CONTAINER, name))

    def names(self, prefix: str, project: str = PROJECT) -> list[str]:
        """Return the names that begin with ``prefix``."""
        return [item.name for item in self.store.find(project, CONTAINER, prefix)]

    def unique(self) -> str:
        """Return a prefix that no other test uses."""
        return f"{self.id().rpartition('.')[2]}-{clock.timestamp():.6f}/"

    def test_what_was_put_comes_back_in_pieces(self) -> None:
        name = f"{self.unique()}large"
        chunks = (LARGE[start : start + 10000] for start in range(0, len(LARGE), 10000))
        put = self.store.put(PROJECT, CONTAINER, name, chunks, metadata={"Lines": "17"})
        etag = hashlib.md5(LARGE, usedforsecurity=False).hexdigest()
        self.assertEqual((name, len(LARGE), etag, {"lines": "17"}), (put.name, put.size, put.etag, put.metadata))
        pieces = list(self.store.get(PROJECT, CONTAINER, name))
        self.assertEqual(LARGE, b"".join(pieces))
        self.assertLessEqual(max(map(len, pieces)), base.CHUNK_BYTES)
        self.assertEqual(put, self.store.head(PROJECT, CONTAINER, name))

    def test_empty(self) -> None:
        name = f"{self.unique()}empty"
        self.store.put(PROJECT, CONTAINER, name, [b"", b""])
        self.assertEqual(b"", self.content(name))
        self.assertEqual(0, self.store.head(PROJECT, CONTAINER, name).size)

    def test_absence(self) -> None:
        name = f"{self.unique()}none"
        for container in (CONTAINER, "no-such-container"):
            self.assertRaises(base.ObjectNotFound, self.store.get, PROJECT, container, name)
            self.assertRaises(base.ObjectNotFound, self.store.head, PROJECT, container, name)
            self.store.remove(PROJECT, container, name)
        self.assertEqual([], list(self.store.find(PROJECT, "no-such-container")))

    def test_names_are_ordered_and_belong_to_their_project(self) -> None:
        prefix = self.unique()
        wanted = ["a", "a-b", "a/b", "a/b/c", "ä ö?%#/...+&", "b"]
        for name in reversed(wanted):
            self.store.put(PROJECT, CONTAINER, f"{prefix}{name}", [name.encode()])
        self.assertEqual([f"{prefix}{name}" for name in wanted[:4]], self.names(f"{prefix}a"))
        self.assertEqual(sorted(f"{prefix}{name}".encode() for name in wanted),
                         [name.encode() for name in self.names(prefix)])  # fmt: skip
        self.assertEqual([f"{prefix}a/b", f"{prefix}a/b/c"], self.names(f"{prefix}a/"))
        for name in wanted:
            self.assertEqual(name.encode(), self.content(f"{prefix}{name}"))
        sizes = {item.name: item.size for item in self.store.find(PROJECT, CONTAINER, prefix)}
        self.assertEqual(5, sizes[f"{prefix}a/b/c"])
        self.assertEqual([], self.names(prefix, OTHER))
        self.assertRaises(base.ObjectNotFound, self.store.head, OTHER, CONTAINER, f"{prefix}a")

    def test_replace_and_remove(self) -> None:
        name = f"{self.unique()}object"
        self.store.put(PROJECT, CONTAINER, name, [b"first"], metadata={"Lines": "1"})
        self.store.put(PROJECT, CONTAINER, name, [b"second"], metadata={"Other": "2"})
        self.assertEqual((b"second", {"other": "2"}),
                         (self.content(name), self.store.head(PROJECT, CONTAINER, name).metadata))  # fmt: skip
        for _ in range(2):
            self.store.remove(PROJECT, CONTAINER, name)
            self.assertRaises(base.ObjectNotFound, self.store.head, PROJECT, CONTAINER, name)

    def test_a_source_that_fails_leaves_what_was_there(self) -> None:
        prefix = self.unique()

        def broken(error: Exception) -> Iterator[bytes]:
            yield b"x" * 100000
            raise error

        self.store.put(PROJECT, CONTAINER, f"{prefix}old", [b"old"])
        for error in (ValueError("mine"), ConnectionResetError("mine"), base.StoreUnavailable("mine")):
            for name in ("old", "new"):
                raised = self.assertRaises(
                    type(error), self.store.put, PROJECT, CONTAINER, f"{prefix}{name}", broken(error)
                )
                self.assertEqual("mine", str(raised))
        self.assertEqual([f"{prefix}old"], self.names(prefix))
        self.assertEqual(b"old", self.content(f"{prefix}old"))

    def test_a_reader_keeps_what_it_began_to_read(self) -> None:
        name = f"{self.unique()}object"
        self.store.put(PROJECT, CONTAINER, name, [LARGE])
        reader = self.store.get(PROJECT, CONTAINER, name)
        first = next(reader)
        self.store.put(PROJECT, CONTAINER, name, [b"another"])
        self.assertEqual(LARGE, first + b"".join(reader))

    def test_many_writers_of_one_object(self) -> None:
        name = f"{self.unique()}object"
        failures: list[Exception] = []

        def write(number: int) -> None:
            try:
                for _ in range(3):
                    self.store.put(PROJECT, CONTAINER, name, [bytes([number]) * 1000, bytes([number]) * 1000])
            except Exception as err:  # boundary: told below
                failures.append(err)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        found = self.content(name)
        self.assertEqual(found[:1] * 2000, found)

    def test_expiry(self) -> None:
        name = f"{self.unique()}object"
        self.store.put(PROJECT, CONTAINER, name, [b"x"], expire_after=3600)
        self.assertEqual(b"x", self.content(name))
        self.pass_expiry(name)
        self.assertRaises(base.ObjectNotFound, self.store.head, PROJECT, CONTAINER, name)
        self.assertRaises(base.ObjectNotFound, self.store.get, PROJECT, CONTAINER, name)

    def pass_expiry(self, name: str) -> None:
        """Let the time come at which ``name``, put with an expiry of an hour, has expired."""
        raise NotImplementedError

    def test_names_that_no_store_takes(self) -> None:
        for name in ("", "x" * 1025, "..", "a/../b", "./a", "nul\x00"):
            self.assertRaises(base.StoreRefused, self.store.put, PROJECT, CONTAINER, name, [b""])
