# SPDX-License-Identifier: Apache-2.0
"""Layouts of requests; the contract suite makes real ones."""

import errno
import fcntl
import struct
from typing import Any
from unittest import mock

from trove.providers.local import kernel
from trove.tests import base as tests


class RenameTest(tests.UnitTestCase):
    """A kernel that renames only what is down (before Linux 6.2)."""

    def setUp(self) -> None:
        super().setUp()
        self.name, self.flags = "old", 0x1043

    def ioctl(self, _handle: Any, request: int, argument: bytes) -> bytes:
        name = argument[:16].rstrip(b"\0").decode()
        self.assertEqual((40, self.name), (len(argument), name))
        if request == 0x8923:
            if self.flags & 1:
                raise OSError(errno.EBUSY, "busy")
            self.name = argument[16:32].rstrip(b"\0").decode()
        elif request == 0x8914:
            (self.flags,) = struct.unpack_from("H", argument, 16)
        return struct.pack("16sH22x", name.encode(), self.flags)

    def test_interface_is_taken_down_for_it_and_up_again(self) -> None:
        with mock.patch.object(fcntl, "ioctl", self.ioctl):
            kernel.rename_interface("old", "new")
        self.assertEqual(("new", 0x1043), (self.name, self.flags))

    def test_absent_interface(self) -> None:
        self.assertRaises(OSError, kernel.rename_interface, "no-such-name", "another")


class GrowTest(tests.UnitTestCase):
    def test_never_smaller(self) -> None:
        asked: list[int] = []

        def ioctl(_handle: Any, request: int, argument: bytes) -> bytes:
            asked.append(request)
            self.assertEqual({0x80705864: 112, 0x4010586E: 16}[request], len(argument))
            return struct.pack("=8IQ72x", 4096, 1, 1000, 4, 1000, 512, 512, 25, 4000) if len(argument) == 112 else b""

        with mock.patch.object(fcntl, "ioctl", ioctl):
            kernel.grow_xfs(self.tempdir(), 4000 * 4096)
            self.assertEqual(1, len(asked))
            kernel.grow_xfs(self.tempdir(), 4001 * 4096)
        self.assertEqual([0x80705864, 0x80705864, 0x4010586E], asked)
