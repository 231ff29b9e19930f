# SPDX-License-Identifier: Apache-2.0
"""``trove-manage guest slowed``, through its parser and on a real database."""

import argparse
import contextlib
import datetime
import io
import json

from trove.cmd import manage_guest
from trove.objects import heartbeat
from trove.tests import base
from trove.tests.unit.conductor import world


class ManageGuestTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())

    def slowed(self, *argv: str) -> str:
        parser = argparse.ArgumentParser()
        manage_guest.add_parser(parser.add_subparsers())
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(0, manage_guest.run(self.world.db, parser.parse_args(["guest", "slowed", *argv])))
        return out.getvalue()

    def test_latest_first(self) -> None:
        guests = [self.world.enrolled() for _ in range(4)]
        with self.world.db.writer() as session:
            now = self.world.db.now(session)
            for guest, minutes in zip(guests, (30, 1, 90), strict=False):
                heartbeat.slow(session, [guest.id], now - datetime.timedelta(minutes=minutes))
        lines = self.slowed().splitlines()
        self.assertEqual([guests[1].id, guests[0].id], [line.split()[0] for line in lines])
        found = json.loads(self.slowed("--json", "--minutes", "120"))
        self.assertEqual([guests[n].id for n in (1, 0, 2)], [item["instance_id"] for item in found])
        self.assertEqual(1, len(self.slowed("--limit", "1").splitlines()))
