# SPDX-License-Identifier: Apache-2.0
"""How envelopes lie in the body of a gateway's answer: each behind its length in 4 bytes, big-endian."""

import ipaddress
from collections.abc import Sequence

from trove.guestbus import envelope

CONTENT_TYPE = "application/octet-stream"
#: Header of the answer to a poll whose heartbeat was taken, and its value. Without it the guest sends the heartbeat
#: apart.
HEARTBEAT_HEADER = ("X-Trove-Heartbeat", "taken")
#: Largest body of an answer in bytes.
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
_LENGTH_BYTES = 4


class FramingError(Exception):
    """The body is not a row of framed envelopes."""


def join(envelopes: Sequence[bytes]) -> bytes:
    """Frame ``envelopes`` one after the other."""
    return b"".join(len(item).to_bytes(_LENGTH_BYTES, "big") + item for item in envelopes)


def split(body: bytes) -> list[bytes]:
    """Undo :func:`join`.

    :raises FramingError: for a length that is beyond the body or the largest envelope, or for a remainder.
    """
    found = []
    position = 0
    while position < len(body):
        start = position + _LENGTH_BYTES
        end = start + int.from_bytes(body[position:start], "big")
        if end > len(body) or end - start > envelope.MAX_BYTES:
            raise FramingError("the answer is cut off or its lengths are wrong")
        found.append(body[start:end])
        position = end
    return found


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` (an address or ``localhost``) stays within this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
