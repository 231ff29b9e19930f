# SPDX-License-Identifier: Apache-2.0
"""Native threads."""

import importlib
import sys
import types
from unittest import mock

from trove.common import threads
from trove.tests import base


class TestThreads(base.UnitTestCase):
    def test_eventlet_cannot_be_imported(self) -> None:
        threads.use_native_threads()
        self.assertRaises(ImportError, importlib.import_module, "eventlet")

    def test_too_late(self) -> None:
        with mock.patch.dict(sys.modules, {"eventlet": types.ModuleType("eventlet")}):
            self.assertRaises(RuntimeError, threads.use_native_threads)
