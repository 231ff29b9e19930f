# SPDX-License-Identifier: Apache-2.0
"""Identifiers and tags.

A *tag* says what an outside thing is (``instance:<id>/server``). Every server, volume, port or object that Trove makes
carries one, so that a first run, a resumed run, the delete flow and the drift check all find the same thing.
"""

import re
import secrets
import uuid

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

#: Letters and digits without look-alikes (0 O 1 l I), for passwords people have to type.
PASSWORD_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_id() -> str:
    """Return a new random identifier in canonical lower-case UUID form."""
    return str(uuid.uuid4())


def is_uuid(text: object) -> bool:
    """Tell whether ``text`` is an identifier in 8-4-4-4-12 form, in any case."""
    return isinstance(text, str) and bool(_UUID.fullmatch(text))


def instance_tag(instance_id: str, part: str) -> str:
    """Return the tag of ``part`` (``server``, ``port``, ``volume``) of an instance."""
    return f"instance:{instance_id}/{part}"


def new_password(length: int = 36) -> str:
    """Return a random password of ``length`` characters from :data:`PASSWORD_ALPHABET`."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(length))
