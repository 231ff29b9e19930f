# SPDX-License-Identifier: Apache-2.0
# covers: trove/common/listeners.py
# covers: trove/guestbus/reach.py
"""Is a gateway where guests dial: probes, addresses that are taken, and who looks from outside."""

import http.client
import os

from trove.common import clock
from trove.common.listeners import CannotListen
from trove.guestbus import reach
from trove.tests.functional.guestbus.case import GatewayCase


class GatewayReachTest(GatewayCase):
    def test_two_on_one_host(self) -> None:
        first = self.conductor()
        assert first.gateway is not None
        port = first.gateway.port
        error = self.assertRaises(CannotListen, self.conductor, guest_bus__gateway_bind_port=port)
        self.assertIn(f"cannot listen on 127.0.0.1 port {port}: it is in use by ", str(error))
        self.assertIn(f"(pid {os.getpid()}); set [guest_bus] gateway_bind_host or gateway_bind_port", str(error))

    def test_probes_and_who_asks_whether_guests_would_find_it(self) -> None:
        conductor = self.conductor()
        assert conductor.gateway is not None
        self.assertIsNone(reach.problem(conductor.gateway.url, None))
        ready = http.client.HTTPConnection("127.0.0.1", conductor.gateway.port, timeout=10)
        self.addCleanup(ready.close)
        for age, status in ((0.0, 200), (60.0, 503), (0.0, 200)):
            conductor._database_at = clock.monotonic() - age
            conductor._periodic.stop()
            ready.request("GET", "/healthcheck")
            answer = ready.getresponse()
            answer.read()
            self.assertEqual(status, answer.status)
        self.assertIsNone(reach.problem(conductor.gateway.url, None), "alive all the time")
        conductor.stop()
        self.assertIn("nobody answers (Connection refused)", str(reach.problem(conductor.gateway.url, None)))
        self.assertIn("no gateway answers", str(reach.problem("http://192.0.2.1:1", None)))
