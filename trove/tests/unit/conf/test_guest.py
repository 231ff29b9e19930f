# SPDX-License-Identifier: Apache-2.0
from trove.conf import guest
from trove.tests import base


class GatewayPortTest(base.UnitTestCase):
    def test_one_truth_for_the_port(self) -> None:
        for expected, options in (
            (8778, {}),
            (9000, {"gateway_url": "https://trove.example:9000"}),
            (9001, {"gateway_url": "https://trove.example:9000", "gateway_bind_port": 9001}),
            (0, {"gateway_url": "https://trove.example:9000", "gateway_bind_port": 0}),
            (8778, {"gateway_url": "https://trove.example"}),
            (8778, {"gateway_url": "unix:///run/trove/gateway/socket"}),
            (8778, {"gateway_url": "https://trove.example:port"}),
        ):
            conf = self.new_conf(**{f"guest_bus__{name}": value for name, value in options.items()})  # type: ignore[attr-defined]
            self.assertEqual(expected, guest.gateway_port(conf), options)
