# SPDX-License-Identifier: Apache-2.0
"""Envelopes: what was sealed opens, anything else raises EnvelopeError and nothing but that."""

import json
from typing import Any

import hypothesis
import msgspec
from hypothesis import strategies as st

from trove.guestbus import envelope, keys
from trove.guestbus.envelope import EnvelopeError, Header
from trove.tests import base

MASTER = bytes(range(32))
INSTANCE = "7f1a2b3c-0000-4000-8000-000000000001"


def header(**changes: Any) -> Header:
    fields: dict[str, Any] = {
        "instance_id": INSTANCE, "direction": keys.TO_CONTROL, "boot": 1, "sequence": 2, "message_id": "m-1",
        "name": "heartbeat", "version": 1, "sent_at": 1000, "not_after": 2000, "generation": 1,
    }  # fmt: skip
    return Header(**{**fields, **changes})


def opened(data: bytes, **changes: Any) -> tuple[Header, dict[str, Any]]:
    values: dict[str, Any] = {"master": MASTER, "instance_id": INSTANCE, "direction": keys.TO_CONTROL, **changes}
    return envelope.open_envelope(data, values.pop("master"), **values)


def with_header(raw: bytes) -> bytes:
    return b"\x01" + len(raw).to_bytes(2, "big") + raw + bytes(64)


class OpenTest(base.UnitTestCase):
    def test_round_trip(self) -> None:
        body = {"report_id": "r", "text": "ü\x00", "n": [1, 2.5, None, True]}
        self.assertEqual((header(), body), opened(envelope.seal(header(), body, MASTER)))

    def test_each_sealing_differs_and_hides_the_body(self) -> None:
        sealed = [envelope.seal(header(), {"password": "hunter2"}, MASTER) for _ in range(2)]
        self.assertNotEqual(*sealed)
        self.assertNotIn(b"hunter2", sealed[0])

    def test_any_changed_byte_is_noticed(self) -> None:
        """Format, length, header, nonce, text and tag: no region is unprotected."""
        data = envelope.seal(header(), {"a": 1}, MASTER)
        for position in range(len(data)):
            for bit in (0x01, 0x20, 0x80):
                changed = bytearray(data)
                changed[position] ^= bit
                self.assertRaises(EnvelopeError, opened, bytes(changed))

    def test_any_truncation_or_addition_is_noticed(self) -> None:
        data = envelope.seal(header(), {"a": 1}, MASTER)
        for length in range(len(data)):
            self.assertRaises(EnvelopeError, opened, data[:length])
        self.assertRaises(EnvelopeError, opened, data + b"\x00")

    def test_wrong_key_instance_direction_generation(self) -> None:
        data = envelope.seal(header(), {"a": 1}, MASTER)
        self.assertRaises(EnvelopeError, opened, data, master=bytes(32))
        self.assertRaises(EnvelopeError, opened, data, instance_id="7f1a2b3c-0000-4000-8000-000000000002")
        self.assertRaises(EnvelopeError, opened, data, direction=keys.TO_GUEST)

    def test_reflection(self) -> None:
        """What the guest sent cannot be handed back to it as a command, even with the header rewritten."""
        data = envelope.seal(header(), {"a": 1}, MASTER)
        forged = data.replace(b"to-control", b"to-guest\x20\x20").replace(b'"to-guest  "', b'"to-guest"')
        self.assertRaises(EnvelopeError, opened, forged, direction=keys.TO_GUEST)
        raw = msgspec.json.encode(header(direction=keys.TO_GUEST))
        offset = 3 + int.from_bytes(data[1:3], "big")
        forged = b"\x01" + len(raw).to_bytes(2, "big") + raw + data[offset:]
        self.assertRaises(EnvelopeError, opened, forged, direction=keys.TO_GUEST)

    def test_body_must_be_an_object(self) -> None:
        for body in ([1], "text", 5, None):
            data = envelope.seal(header(), body, MASTER)
            self.assertRaises(EnvelopeError, opened, data)

    def test_bottomless_body(self) -> None:
        """A guest that holds its key may seal anything; decoding must not take the process down."""
        data = envelope.seal(header(), msgspec.Raw(b'{"a":' + b"[" * 200000), MASTER)
        self.assertRaises(EnvelopeError, opened, data)

    def test_size(self) -> None:
        error = self.assertRaises(EnvelopeError, envelope.seal, header(), {"a": "x" * envelope.MAX_BYTES}, MASTER)
        self.assertNotIn("xxx", str(error))
        self.assertRaises(EnvelopeError, envelope.peek, bytes(envelope.MAX_BYTES + 1))
        room = envelope.MAX_BYTES - len(envelope.seal(header(), {"a": ""}, MASTER))
        largest = envelope.seal(header(), {"a": "x" * room}, MASTER)
        self.assertEqual(envelope.MAX_BYTES, len(largest))
        self.assertEqual(room, len(opened(largest)[1]["a"]))


class PeekTest(base.UnitTestCase):
    def test_claims_are_read_without_a_key(self) -> None:
        self.assertEqual(header(), envelope.peek(envelope.seal(header(), {}, MASTER)))

    def test_only_the_canonical_header_is_read(self) -> None:
        good = msgspec.json.encode(header())
        self.assertEqual(header(), envelope.peek(with_header(good)))
        fields = json.loads(good)
        spellings = [
            json.dumps(fields).encode(),  # blanks
            json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode(),  # another order
            good.replace(b'"boot":1', b'"boot":1.0'),
            good.replace(b'"boot":1', b'"boot":0,"boot":1'),
            good.replace(b'"boot":1', b'"boot":true'),
            good.replace(b"heartbeat", b"\\u0068eartbeat"),
            good[:-1] + b',"extra":1}',
            b"[]",
            b"\xff\xfe",
            b"",
        ]
        for raw in spellings:
            self.assertRaises(EnvelopeError, envelope.peek, with_header(raw))

    def test_bounds(self) -> None:
        good = json.loads(msgspec.json.encode(header()))
        bad = {
            "instance_id": ["", "a/b", "x" * 37, "a\n", 5], "direction": ["sideways"], "boot": [-1, 2**31],
            "sequence": [-1, 2**63, "1"], "message_id": ["", "a b"], "name": ["", "Poll", "a" * 65, "a\n"],
            "version": [0, 2**17], "sent_at": [-1, None], "generation": [-1],
        }  # fmt: skip
        for name, values in bad.items():
            for value in values:
                raw = json.dumps({**good, name: value}, separators=(",", ":")).encode()
                self.assertRaises(EnvelopeError, envelope.peek, with_header(raw))


class FuzzTest(base.UnitTestCase):
    """There is no third outcome."""

    def attempt(self, data: bytes) -> None:
        for function in (envelope.peek, opened):
            try:
                function(data)
            except EnvelopeError:
                continue
            self.assertIs(envelope.peek, function, "something opened that nobody sealed")

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(st.binary(max_size=400))
    def test_anything(self, data: bytes) -> None:
        self.attempt(data)
        self.attempt(b"\x01" + data)
        self.attempt(with_header(data[:200]))

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(st.data())
    def test_damaged(self, draw: st.DataObject) -> None:
        data = envelope.seal(header(), {"a": 1}, MASTER)
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, len(data)))
        damaged = data[:start] + draw.draw(st.binary(max_size=50)) + data[end:]
        hypothesis.assume(damaged != data)
        self.attempt(damaged)

    @hypothesis.settings(max_examples=40, deadline=None)
    @hypothesis.given(
        st.dictionaries(
            st.text(max_size=10),
            st.recursive(
                st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            ),
            max_size=5,
        )
    )
    def test_any_json_comes_back(self, body: dict[str, Any]) -> None:
        self.assertEqual(body, opened(envelope.seal(header(), body, MASTER))[1])
