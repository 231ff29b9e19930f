# SPDX-License-Identifier: Apache-2.0

from trove.datastores.enginelib import host
from trove.tests import base


class TestHost(base.UnitTestCase):
    def test_it_is_plausible(self) -> None:
        found = host.ram_mib()
        self.assertTrue(found is None or 64 < found < 2**26)
