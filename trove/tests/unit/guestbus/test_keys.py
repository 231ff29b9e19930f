# SPDX-License-Identifier: Apache-2.0
"""Keys: every input of a derivation matters, and bad inputs are refused."""

import hmac
import itertools
import os

from trove.guestbus import keys
from trove.tests import base

MASTER = bytes(range(32))


class DeriveTest(base.UnitTestCase):
    def test_every_part_makes_another_key(self) -> None:
        masters, instances = (MASTER, bytes(32)), ("i-1", "i-2")
        combinations = list(itertools.product(masters, instances, keys.DIRECTIONS, (0, 1, 2)))
        self.assertEqual(len(combinations), len({keys.derive(*each) for each in combinations}))

    def test_parts_cannot_run_into_one_another(self) -> None:
        self.assertNotEqual(keys.derive(MASTER, "a1", keys.TO_GUEST, 1), keys.derive(MASTER, "a", keys.TO_GUEST, 11))

    def test_value_is_for_life(self) -> None:
        """Guests are years old: whatever changes this value locks them all out. Computed here from RFC 5869."""
        instance = "c0ffee00-0000-4000-8000-000000000000"
        parts = (b"trove guest bus key", instance.encode(), b"to-control", b"1")
        info = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
        extracted = hmac.digest(bytes(32), MASTER, "sha256")
        expected = hmac.digest(extracted, info + b"\x01", "sha256")
        self.assertEqual(expected, keys.derive(MASTER, instance, keys.TO_CONTROL, 1))

    def test_bad_input(self) -> None:
        self.assertRaises(ValueError, keys.derive, b"short", "i", keys.TO_GUEST, 1)
        self.assertRaises(ValueError, keys.derive, MASTER, "i", "sideways", 1)


class ExchangeTest(base.UnitTestCase):
    def agree(self, mine: keys.ExchangeKey, peer: bytes, **changes: object) -> bytes:
        values = {"one_time_key": MASTER, "guest": b"g" * 32, "control": b"c" * 32, "instance_id": "i"}
        return mine.agree(peer, **{**values, **changes})

    def test_both_sides_agree(self) -> None:
        guest, control = keys.ExchangeKey(), keys.ExchangeKey()
        self.assertEqual(self.agree(guest, control.public), self.agree(control, guest.public))

    def test_everything_is_bound(self) -> None:
        guest, control = keys.ExchangeKey(), keys.ExchangeKey()
        agreed = {self.agree(guest, control.public)}
        changes: list[dict[str, object]] = [
            {"one_time_key": os.urandom(32)}, {"guest": b"x" * 32}, {"control": b"x" * 32}, {"instance_id": "j"}
        ]  # fmt: skip
        agreed |= {self.agree(guest, control.public, **change) for change in changes}
        self.assertEqual(5, len(agreed))

    def test_useless_public_keys(self) -> None:
        for peer in (bytes(32), b"\x01" + bytes(31), b"short"):
            self.assertRaises(keys.KeyAgreementError, self.agree, keys.ExchangeKey(), peer)

    def test_repr_holds_no_key(self) -> None:
        self.assertEqual("<ExchangeKey>", repr(keys.ExchangeKey()))
