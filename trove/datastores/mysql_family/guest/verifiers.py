# SPDX-License-Identifier: Apache-2.0
"""Turn passwords into what the servers store, so that no password travels in a statement, a log or a binary log.

* ``mysql_native_password``: ``*`` and hexadecimal SHA1(SHA1(password)) (MySQL manual, "Native Pluggable
  Authentication"). Without salt, hence weak against somebody who has read the table; MariaDB's default all the same.
* ``caching_sha2_password``: ``$A$00A$``, 20 bytes of salt, and SHA-crypt (specification "Unix crypt using SHA-256 and
  SHA-512", U. Drepper), as MySQL's ``sha2_password`` stores it. The second word is the number of rounds in thousands,
  hexadecimal; 10000 is what version 9.7 uses.

Both can tell whether an account already has a password, which makes a repeated "create user" recognisable.
"""

import hashlib
import hmac
import re
import secrets

_SHA2_FORM = re.compile(rb"\$A\$([0-9A-F]{3})\$(.{20}).{43}", re.DOTALL)
_SHA2_THOUSANDS = 10
_SALT_BYTES = 20
_BASE64 = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: Order in which SHA-crypt gives out the 32 bytes of the digest, three at a time.
_ORDER = (
    (0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14),
    (15, 25, 5), (6, 16, 26), (27, 7, 17), (18, 28, 8), (9, 19, 29),
)  # fmt: skip


def native(password: str) -> str:
    """Return the verifier of ``mysql_native_password``."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()


def native_matches(stored: str, password: str) -> bool:
    """Tell whether ``stored`` was made from ``password``."""
    return hmac.compare_digest(stored.upper().encode(), native(password).encode())


def caching_sha2(password: str, salt: bytes | None = None, thousands: int = _SHA2_THOUSANDS) -> bytes:
    """Return the verifier of ``caching_sha2_password``; bytes, because the salt need not be text.

    :param thousands: rounds, in thousands.
    """
    # Letters and digits: without NUL and '$', which the server's own generator avoids, too; 119 bits are plenty.
    used = salt or bytes(secrets.choice(_BASE64[2:]) for _ in range(_SALT_BYTES))
    return b"$A$%03X$" % thousands + used + sha256_crypt(password.encode(), used, thousands * 1000)


def caching_sha2_matches(stored: bytes, password: str) -> bool:
    """Tell whether ``stored`` was made from ``password``; ``False`` for anything that is not such a verifier."""
    form = _SHA2_FORM.fullmatch(stored)
    return form is not None and hmac.compare_digest(stored, caching_sha2(password, form[2], int(form[1], 16)))


def sha256_crypt(password: bytes, salt: bytes, rounds: int) -> bytes:
    """Return the 43 characters of SHA-crypt with SHA-256, without prefix and salt.

    The steps are numbered in the specification; variables have its names. Unlike it, MySQL uses salts of 20 bytes.
    """
    size = len(password)
    digest_b = hashlib.sha256(password + salt + password).digest()
    context = hashlib.sha256(password + salt + _repeat(digest_b, size))
    bits = size
    while bits:
        context.update(digest_b if bits & 1 else password)
        bits >>= 1
    digest = context.digest()
    sequence_p = _repeat(hashlib.sha256(password * size).digest(), size)
    sequence_s = _repeat(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(rounds):
        odd = number & 1
        step = (sequence_p if odd else digest) + (sequence_s if number % 3 else b"")
        step += (sequence_p if number % 7 else b"") + (digest if odd else sequence_p)
        digest = hashlib.sha256(step).digest()
    out = b"".join(_encode(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER)
    return out + _encode(digest[31] << 8 | digest[30], 3)


def _repeat(block: bytes, size: int) -> bytes:
    return (block * (size // len(block) + 1))[:size]


def _encode(value: int, characters: int) -> bytes:
    return bytes(_BASE64[value >> 6 * place & 0x3F] for place in range(characters))
