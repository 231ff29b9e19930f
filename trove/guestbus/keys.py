# SPDX-License-Identifier: Apache-2.0
"""Keys of the guest bus.

Each instance has a master key of 32 bytes per *generation*. Generation 0 is the one-time key of the bootstrap document;
it only seals the enrolment. Generation 1 comes from an X25519 exchange (RFC 7748) that the one-time key authenticates,
so that whoever reads the bootstrap document later cannot open what was said after the enrolment. No master key seals
anything itself: :func:`derive` makes one AES-256-GCM key per direction with HKDF-SHA256 (RFC 5869), so a message can
never be reflected to its sender.

Each later generation comes from another such exchange, which the master key before it authenticates:
who has read all traffic and then learns one generation's key cannot compute the next.
"""

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

#: Length of every key here in bytes.
KEY_BYTES = 32

#: Directions, as they stand in an envelope's header and in the key's derivation.
TO_GUEST: Final = "to-guest"
TO_CONTROL: Final = "to-control"
DIRECTIONS = (TO_GUEST, TO_CONTROL)

#: Generation of the one-time key.
ONE_TIME = 0
#: Generation that the enrolment agrees on.
ENROLLED = 1


class KeyAgreementError(Exception):
    """The peer's public key is not one an exchange can be made with."""


def derive(master: bytes, instance_id: str, direction: str, generation: int) -> bytes:
    """Return the AES-256-GCM key of one instance, direction and generation.

    :param master: 32 bytes.
    :param direction: one of :data:`DIRECTIONS`.
    :raises ValueError: for a master key of another length or an unknown direction.
    """
    if len(master) != KEY_BYTES:
        raise ValueError(f"a master key has {KEY_BYTES} bytes")
    if direction not in DIRECTIONS:
        raise ValueError(f"unknown direction '{direction}'")
    return _hkdf(master, None, b"trove guest bus key", instance_id.encode(), direction.encode(), b"%d" % generation)


class ExchangeKey:
    """One side's short-lived half of an exchange; made anew for every attempt.

    :ivar public: the 32 bytes for the peer.
    """

    def __init__(self, private: X25519PrivateKey | None = None) -> None:
        self._private = X25519PrivateKey.generate() if private is None else private
        self.public: bytes = self._private.public_key().public_bytes_raw()

    @classmethod
    def restore(cls, private: bytes) -> "ExchangeKey":
        """Return what gave :attr:`private`.

        :raises ValueError: for a key of another length.
        """
        return cls(X25519PrivateKey.from_private_bytes(private))

    @property
    def private(self) -> bytes:
        """The 32 bytes to keep until the peer has answered; store them encrypted and erase them then."""
        return self._private.private_bytes_raw()

    def agree(
        self,
        peer: bytes,
        *,
        one_time_key: bytes,
        guest: bytes,
        control: bytes,
        instance_id: str,
        generation: int = ENROLLED,
    ) -> bytes:
        """Return the master key of ``generation``.

        :param peer: the other side's public key.
        :param one_time_key: authenticates the exchange as HKDF salt: without it the result cannot be computed. For a
            later generation, the master key of the one before.
        :param guest: the guest's public key; with ``control`` it binds the result to this very exchange.
        :raises KeyAgreementError: for a public key of a wrong length or of small order (RFC 7748, section 6.1).
        """
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError as err:
            raise KeyAgreementError("the peer's public key cannot be used") from err
        purpose: tuple[bytes, ...] = (b"trove guest bus enrolment",)
        if generation != ENROLLED:
            purpose = (b"trove guest bus renewal", b"%d" % generation)
        return _hkdf(shared, one_time_key, *purpose, guest, control, instance_id.encode())

    def __repr__(self) -> str:
        return "<ExchangeKey>"


def rehearse() -> None:
    """Make an exchange whose keys are constants; no random number is drawn, and nothing is left of it."""
    private = X25519PrivateKey.from_private_bytes(bytes(range(KEY_BYTES)))
    private.exchange(X25519PublicKey.from_public_bytes(private.public_key().public_bytes_raw()))


def _hkdf(secret: bytes, salt: bytes | None, *info: bytes) -> bytes:
    # Each part carries its length, so that no two lists of parts make the same info.
    joined = b"".join(len(part).to_bytes(2, "big") + part for part in info)
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=joined).derive(secret)
