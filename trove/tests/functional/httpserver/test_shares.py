# SPDX-License-Identifier: Apache-2.0
"""Two servers in one process have its open files together."""

from unittest import mock

from trove.httpserver import shares, sockets
from trove.httpserver.limits import Limits
from trove.httpserver.server import Server
from trove.tests import base


class ServersTest(base.FunctionalTestCase):
    def test_a_second_server_takes_from_the_first(self) -> None:
        own = shares.Shares(lambda wanted: min(wanted, 1000))
        self.enterContext(mock.patch.object(shares, "SHARES", own))
        servers = [
            Server([sockets.TCP("127.0.0.1", 0)], mock.Mock(), Limits(connections=wanted), name=f"server-{wanted}")
            for wanted in (3000, 1000)
        ]
        for server in servers:
            server.start()
            self.addCleanup(server.stop)
        self.assertEqual([750, 250], [server._serving._ledger.limits.connections for server in servers])
        self.assertEqual(
            ["the server-3000 have only 1000", "the server-3000 have only 750", "the server-1000 have only 250"],
            [line.partition("lets ")[2].partition(" connections")[0] for line in self.logs.text().splitlines()
             if "open files" in line],
        )  # fmt: skip
        servers[0].stop()
        self.assertEqual(1000, servers[1]._serving._ledger.limits.connections)
