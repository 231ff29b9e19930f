# SPDX-License-Identifier: Apache-2.0
"""The sealed envelope.

::

    1 byte    format version (1)
    2 bytes   length of the header, big-endian
    n bytes   header: canonical JSON, readable but authenticated
    12 bytes  random nonce
    rest      AES-256-GCM (NIST SP 800-38D) of the JSON body, ending in a tag of 16 bytes

Everything before the nonce is associated data, so no byte can change without being noticed. :func:`open_envelope`
returns a verified header and body or raises :class:`EnvelopeError`; there is no third outcome and no way to send plain
text. :func:`peek` only parses: what it returns is a claim, good for finding the key that would prove it.

A random 96-bit nonce is safe for 2**32 messages under one key; at ten messages a second that is 13 years of one guest.
"""

import os
from typing import Annotated, Any, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trove.guestbus import keys
from trove.wire import base

FORMAT = 1
#: Largest envelope in bytes, sealed.
MAX_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 1024

_PREFIX_BYTES = 3
_NONCE_BYTES = 12
_TAG_BYTES = 16
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+\Z")]
_Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z-]+\Z")]
_Boot = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Version = Annotated[int, msgspec.Meta(ge=1, le=2**16)]


class EnvelopeError(Exception):
    """The data is not an envelope, or not one from whom it claims to be. The text is for the log and holds no
    content."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part that anyone on the way can read, and nobody can change.

    :ivar boot: how often the sending agent has started; 0 towards guests.
    :ivar sequence: position within ``boot``; towards guests the command's place in the order, 0 for anything else.
    :ivar sent_at: milliseconds since the Unix epoch on the sender's clock.
    :ivar not_after: the message means nothing after this moment, same unit.
    :ivar generation: which master key sealed it.
    """

    instance_id: _Identifier
    direction: Literal["to-guest", "to-control"]
    boot: _Boot
    sequence: base.Count
    message_id: _Identifier
    name: _Name
    version: _Version
    sent_at: base.Count
    not_after: base.Count
    generation: base.Count


_decode_header = msgspec.json.Decoder(Header).decode
_encode = msgspec.json.Encoder().encode


def seal(header: Header, body: dict[str, Any], master: bytes) -> bytes:
    """Seal ``body`` (plain JSON types) under the key that ``master`` gives for the header's instance, direction and
    generation.

    :raises EnvelopeError: when the result would be larger than :data:`MAX_BYTES`.
    """
    head = _encode(header)
    if len(head) > MAX_HEADER_BYTES:
        raise EnvelopeError("the header is too large")
    prefix = bytes([FORMAT]) + len(head).to_bytes(2, "big") + head
    plain = _encode(body)
    if len(prefix) + _NONCE_BYTES + len(plain) + _TAG_BYTES > MAX_BYTES:
        raise EnvelopeError(f"message '{header.name}' is larger than {MAX_BYTES} bytes")
    nonce = os.urandom(_NONCE_BYTES)
    return prefix + nonce + _aead(header, master).encrypt(nonce, plain, prefix)


def peek(data: bytes) -> Header:
    """Parse the header **without trusting it**.

    :raises EnvelopeError: when ``data`` is too large, truncated, of another format version, or its header is not
        exactly the canonical encoding of valid fields.
    """
    return _split(data)[0]


def open_envelope(data: bytes, master: bytes, *, instance_id: str, direction: str) -> tuple[Header, dict[str, Any]]:
    """Verify and decrypt.

    :param master: the master key of the generation that :func:`peek` showed.
    :param instance_id: whose message this must be.
    :param direction: which way it must go.
    :raises EnvelopeError: in every other case than a message sealed by a holder of ``master`` for exactly this use.
    """
    header, end = _split(data)
    if header.instance_id != instance_id or header.direction != direction:
        raise EnvelopeError("the envelope is of another instance or direction")
    key = keys.derive(master, header.instance_id, header.direction, header.generation)
    return header, decode_body(_decrypt(data, end, key))


def unseal(data: bytes, key: bytes, *, instance_id: str, direction: str) -> tuple[Header, bytes]:
    """Verify and decrypt, and leave the body to :func:`decode_body`: the same in two halves, for who opens many.

    :param key: what :func:`trove.guestbus.keys.derive` gives for this instance, this direction and the generation that
        :func:`peek` showed.
    :raises EnvelopeError: as :func:`open_envelope`.
    """
    header, end = _split(data)
    if header.instance_id != instance_id or header.direction != direction:
        raise EnvelopeError("the envelope is of another instance or direction")
    return header, _decrypt(data, end, key)


def decode_body(plain: bytes) -> dict[str, Any]:
    """Return the body of an envelope that was opened.

    :raises EnvelopeError: when it is not a JSON object.
    """
    try:
        body = msgspec.json.decode(plain)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise EnvelopeError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise EnvelopeError("the body is not an object")
    return body


def _decrypt(data: bytes, end: int, key: bytes) -> bytes:
    nonce, sealed = data[end : end + _NONCE_BYTES], data[end + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, sealed, data[:end])
    except InvalidTag:
        raise EnvelopeError("the envelope does not open under this key") from None


def _split(data: bytes) -> tuple[Header, int]:
    """Return the header and the offset of the nonce."""
    if len(data) > MAX_BYTES:
        raise EnvelopeError("the envelope is too large")
    if len(data) < _PREFIX_BYTES or data[0] != FORMAT:
        raise EnvelopeError("not an envelope of a known format")
    length = int.from_bytes(data[1:_PREFIX_BYTES], "big")
    end = _PREFIX_BYTES + length
    if length > MAX_HEADER_BYTES or len(data) < end + _NONCE_BYTES + _TAG_BYTES:
        raise EnvelopeError("the envelope is truncated or its header too large")
    head = bytes(data[_PREFIX_BYTES:end])
    try:
        header = _decode_header(head)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise EnvelopeError("the header is malformed") from None
    # One header, one encoding: duplicate keys, other spellings of a number or spare blanks are refused.
    if _encode(header) != head:
        raise EnvelopeError("the header is not canonical")
    return header, end


def _aead(header: Header, master: bytes) -> AESGCM:
    return AESGCM(keys.derive(master, header.instance_id, header.direction, header.generation))
