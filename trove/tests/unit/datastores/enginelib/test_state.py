# SPDX-License-Identifier: Apache-2.0

import stat

import msgspec

from trove.datastores.enginelib import state
from trove.tests import base

STATE = state.State(
    address="127.0.0.2", port=5432, vcpus=1, ram_mib=256, volume_gib=1, admin_password="hunter2", socket_dir="/run/x"
)


class TestState(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "state.json"
        self.file = state.StateFile(self.path, state.State)

    def test_nothing_yet(self) -> None:
        self.assertIsNone(self.file.get())

    def test_another_process_reads_what_was_put(self) -> None:
        self.file.put(STATE)
        self.file.put(msgspec.structs.replace(STATE, desired="stopped"))
        found = state.StateFile(self.path, state.State).get()
        assert found is not None
        self.assertEqual(("stopped", "hunter2", False), (found.desired, found.admin_password, found.prepared))

    def test_it_is_private(self) -> None:
        self.file.put(STATE)
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))
        self.assertEqual([self.path], list(self.path.parent.iterdir()))
        self.assertNotIn("hunter2", repr(STATE))
