# SPDX-License-Identifier: Apache-2.0
"""Which key is in use in which state: the table of the module, line by line."""

import datetime

from trove.common import ids
from trove.conductor import sealing
from trove.conductor.sealing import Refused
from trove.guestbus import envelope
from trove.objects.guest_identity import GuestIdentity
from trove.tests import base
from trove.wire import command

ONE_TIME, MASTER, NEXT = "01" * 32, "02" * 32, "03" * 32
NOW = datetime.datetime(2026, 5, 2, 8, 0, 0)


def identity(state: str, **keys: str) -> GuestIdentity:
    held = keys or {"one_time": ONE_TIME, "master": MASTER}
    return GuestIdentity(instance_id=ids.new_id(), state=state, keys=held, generation=int(state == "ENROLLED"))


class KeyForTest(base.UnitTestCase):
    def test_table(self) -> None:
        used = {("ISSUED", 0), ("EXCHANGING", 0), ("EXCHANGING", 1), ("ENROLLED", 1)}
        for state in ("ISSUED", "EXCHANGING", "ENROLLED", "REVOKED", "ELSE"):
            for generation in (0, 1, 2, -1):
                if (state, generation) in used:
                    expected = bytes.fromhex(MASTER if generation else ONE_TIME)
                    self.assertEqual(expected, sealing.key_for(identity(state), generation))
                else:
                    self.assertRaises(Refused, sealing.key_for, identity(state), generation)

    def test_later_generations(self) -> None:
        later = identity("ENROLLED", master=MASTER, next=NEXT)
        later.generation = 5
        self.assertEqual(
            [MASTER, NEXT], [sealing.key_for(later, generation).hex() for generation in (5, 6)]
        )
        for generation in (0, 1, 4, 7):
            self.assertRaises(Refused, sealing.key_for, later, generation)
        self.assertEqual(6, sealing.current(later))
        later.keys = {"master": MASTER}
        self.assertRaises(Refused, sealing.key_for, later, 6)
        self.assertEqual((5, 1), (sealing.current(later), sealing.current(identity("EXCHANGING"))))

    def test_erased_key(self) -> None:
        self.assertRaises(Refused, sealing.key_for, identity("EXCHANGING", master=MASTER), 0)
        self.assertRaises(Refused, sealing.key_for, identity("EXCHANGING", one_time=ONE_TIME), 1)


class SealTest(base.UnitTestCase):
    def test_times(self) -> None:
        """Times are the database's, in milliseconds of UTC, whatever zone this process runs in."""
        data = sealing.seal(identity("ENROLLED"), command.Acknowledge(report_ids=["r"]), NOW, generation=1)
        header = envelope.peek(data)
        self.assertEqual((1777708800000, 1777708800000 + 600_000), (header.sent_at, header.not_after))
