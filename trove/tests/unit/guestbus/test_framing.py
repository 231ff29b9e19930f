# SPDX-License-Identifier: Apache-2.0
"""Framing of a gateway's answer."""

import contextlib

import hypothesis
from hypothesis import strategies as st

from trove.guestbus import envelope, framing
from trove.tests import base


class FramingTest(base.UnitTestCase):
    @hypothesis.given(st.lists(st.binary(max_size=100), max_size=10))
    def test_round_trip(self, items: list[bytes]) -> None:
        self.assertEqual(items, framing.split(framing.join(items)))

    @hypothesis.given(st.binary(max_size=100))
    def test_anything(self, body: bytes) -> None:
        with contextlib.suppress(framing.FramingError):
            self.assertEqual(body, framing.join(framing.split(body)))

    def test_cut_off(self) -> None:
        body = framing.join([b"abc", b"defgh"])
        for length in set(range(1, len(body))) - {7}:
            self.assertRaises(framing.FramingError, framing.split, body[:length])

    def test_too_large(self) -> None:
        body = framing.join([bytes(envelope.MAX_BYTES + 1)])
        self.assertRaises(framing.FramingError, framing.split, body)

    def test_loopback(self) -> None:
        self.assertEqual([True] * 4, [framing.is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "localhost")])
        self.assertEqual([False] * 4, [framing.is_loopback(h) for h in ("0.0.0.0", "10.0.0.1", "::", "host.example")])
