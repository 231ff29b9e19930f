# SPDX-License-Identifier: Apache-2.0
"""Where the guests of a standalone service reach it."""

from pathlib import Path
from unittest import mock

from trove.providers.fake import FakeProvider
from trove.providers.local.provider import LocalProvider
from trove.standalone import app
from trove.tests import base


class GatewayTest(base.UnitTestCase):
    def test_guests_of_this_host_dial_a_socket_in_every_network(self) -> None:
        conf = self.new_conf()
        provider = mock.Mock(spec=LocalProvider, gateway_socket=Path("/srv/gateway.sock"))
        self.assertEqual("unix:///srv/gateway.sock", app.gateway(conf, provider))
        self.assertEqual("/srv/gateway.sock", conf.guest_bus.gateway_socket)

    def test_other_guests_dial_the_port(self) -> None:
        conf = self.new_conf(guest_bus__gateway_bind_host="192.0.2.1", guest_bus__gateway_bind_port=8780)
        self.assertEqual("http://192.0.2.1:8780", app.gateway(conf, FakeProvider()))
