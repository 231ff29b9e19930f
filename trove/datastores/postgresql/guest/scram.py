# SPDX-License-Identifier: Apache-2.0
"""Compare a password with the SCRAM-SHA-256 verifier that PostgreSQL stores (RFC 5802, RFC 7677, RFC 4013).

A verifier is ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``. New ones are made by libpq
(:func:`psycopg2.extensions.encrypt_password`), so that a password never travels to the server or into its log; this
module only tells whether an existing role already has a password, which makes a repeated "create user" recognisable.
"""

import base64
import hashlib
import hmac
import stringprep
import unicodedata

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

#: A role can give itself a verifier of any number of iterations, and two thousand millions would hold the agent for an
#: hour. Those that the agent makes have 4096.
_MOST_ITERATIONS = 100_000


def saslprep(password: str) -> str:
    """Return ``password`` as PostgreSQL normalises it; one that the profile forbids is used unchanged, as the server
    does.
    """
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    text = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
        stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
        stringprep.in_table_c9, stringprep.in_table_a1,
    )  # fmt: skip
    if not text or any(check(char) for char in text for check in forbidden) or not _bidi_allowed(text):
        return password
    return text


def _bidi_allowed(text: str) -> bool:
    if not any(stringprep.in_table_d1(char) for char in text):
        return True
    if any(stringprep.in_table_d2(char) for char in text):
        return False
    return stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])


def matches(verifier: str | None, password: str) -> bool:
    """Tell whether ``verifier`` was made from ``password``; ``False`` for anything that is not such a verifier."""
    try:
        scheme, parameters, keys = (verifier or "").split("$")
        iterations, salt = parameters.split(":")
        if int(iterations) > _MOST_ITERATIONS:
            return False
        stored = base64.b64decode(keys.split(":")[0], validate=True)
        # Not hashlib's, which is slow where the agent does without Python's OpenSSL.
        derivation = PBKDF2HMAC(hashes.SHA256(), 32, base64.b64decode(salt, validate=True), int(iterations))
        salted = derivation.derive(saslprep(password).encode())
    except (ValueError, OverflowError):
        return False
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return scheme == "SCRAM-SHA-256" and hmac.compare_digest(hashlib.sha256(client_key).digest(), stored)
