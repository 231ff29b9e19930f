# SPDX-License-Identifier: Apache-2.0
"""``trove-manage guest``, through its parser and on a real database."""

import argparse
import contextlib
import datetime
import io
import json

import fixtures
import sqlalchemy as sa

from trove.cmd import manage_guest
from trove.db import crypto
from trove.objects import heartbeat
from trove.objects.guest_identity import REVOKED
from trove.tests import base
from trove.tests.unit.conductor import world


class ManageGuestTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = self.useFixture(world.World())

    def guest(self, *argv: str, version: int = 2) -> tuple[int, str, str]:
        """Run one command; return its exit code, and what it printed."""
        parser = argparse.ArgumentParser()
        manage_guest.add_parser(parser.add_subparsers())
        out, err = io.StringIO(), io.StringIO()
        keyring = crypto.Keyring(crypto.current().writer, version=version)
        self.useFixture(fixtures.MonkeyPatch("trove.db.key_source.load", lambda _conf: keyring))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = manage_guest.run(self.new_conf(), self.world.db, parser.parse_args(["guest", *argv]))
        return code, out.getvalue(), err.getvalue()

    def slowed(self, *argv: str) -> str:
        code, out, _ = self.guest("slowed", *argv)
        self.assertEqual(0, code)
        return out

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

    def test_rotating_keys(self) -> None:
        guests = [self.world.enrolled() for _ in range(3)]
        self.world.guest()  # has no keys of its own
        said = f"{guests[0].id}  asked\n1 asked, 0 cannot\n"
        self.assertEqual((0, said, ""), self.guest("rotate-keys", guests[0].id))
        code, out, _ = self.guest("rotate-keys", "--all", "--pause", "0")
        named = {line.split()[0] for line in out.splitlines()[:-1]}
        self.assertEqual((0, {guest.id for guest in guests}), (code, named))
        self.assertEqual((0, "0 asked, 0 cannot\n", ""), self.guest("rotate-keys", "--all", "--older-than", "90"))
        for guest in guests:
            names = [item.command for item in guest.hear(self.world.outbox.envelopes_for(guest.id))]  # type: ignore[attr-defined]
            self.assertEqual({"rotate_keys"}, set(names))

    def test_guests_that_cannot_rotate(self) -> None:
        old = self.world.enrolled()
        self.world.intake.receive(old.session.seal_report(world.hello(commands={})))
        code, out, err = self.guest("rotate-keys", "--all", "--pause", "0")
        self.assertEqual((1, "0 asked, 1 cannot\n"), (code, out))
        self.assertIn("too old", err)
        self.assertEqual(1, self.guest("rotate-keys", "no-such-instance")[0])
        self.assertIn("ciphertext_version", self.guest("rotate-keys", old.id, version=1)[2])

    def test_revoking(self) -> None:
        guest = self.world.enrolled()
        code, out, _ = self.guest("revoke", guest.id)
        self.assertEqual((0, REVOKED), (code, self.world.identity(guest.id).state))
        self.assertIn(f"of {guest.id} are erased", out)
        code, _, err = self.guest("revoke", "no-such-instance")
        self.assertEqual((1, True), (code, "no-such-instance" in err))

    def test_keys_that_do_not_open_stop_no_other_guest(self) -> None:
        good, bad = (self.world.enrolled() for _ in range(2))
        with self.world.db.writer() as session:
            copy = "SELECT keys FROM guest_identities WHERE instance_id = :good"
            session.execute(
                sa.text(f"UPDATE guest_identities SET keys = ({copy}) WHERE instance_id = :bad"),
                {"good": good.id, "bad": bad.id},
            )
        code, out, err = self.guest("rotate-keys", "--all", "--pause", "0")
        self.assertEqual((1, f"{good.id}  asked\n1 asked, 1 cannot\n"), (code, out))
        self.assertIn(bad.id, err)
