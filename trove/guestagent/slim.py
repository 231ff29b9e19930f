# SPDX-License-Identifier: Apache-2.0
"""Keep out of the agent's process what it does not use but its libraries would load.

Every guest pays for what is loaded, for as long as it lives. Measured with Python 3.11 on x86-64:

===================== ========================================================================== ========
left out              because                                                                    saves
===================== ========================================================================== ========
``ssl``               the gateway is reached over a UNIX socket or a loopback address             1.3 MiB
``_hashlib``          it would load OpenSSL once more: ``cryptography`` and libpq bring their    3.4 MiB
                      own; :mod:`hashlib` then uses the implementations built into Python
``bz2``, ``lzma``     :mod:`shutil` loads them for archives                                      0.4 MiB
``typing_extensions`` msgspec asks for it first and :mod:`typing` next, which knows all by now   0.9 MiB
===================== ========================================================================== ========

Nothing is forbidden: the names are hidden only while the modules that would load them, and are made to do without, are
imported here for the first time. A datastore's handler that needs ``ssl`` or ``lzma`` imports it as ever, and pays. It
finds :mod:`hashlib` without ``scrypt`` and with a slow ``pbkdf2_hmac``; ``cryptography`` has fast ones.

Call :func:`at_start` before anything else is imported, and :func:`for_bootstrap` as soon as the bootstrap document is
known.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from trove.common import imports

_MAX_BYTES = 256 * 1024


def at_start() -> None:
    """Load what every agent needs, without what none does."""
    _load(["shutil", "msgspec"], without=["bz2", "lzma", "typing_extensions"])


def for_bootstrap(path: Path) -> bool:
    """Load what the transport of the bootstrap document at ``path`` needs; return whether TLS was left out.

    A document that cannot be read changes nothing: whoever reads it next says what is wrong with it.
    """
    if not is_plain(path):
        return False
    for_plain_gateway()
    return True


def for_plain_gateway() -> None:
    """Load what an agent needs that reaches its gateway without TLS."""
    _load(["hashlib", "hmac", "random", "secrets", "http.client"], without=["ssl", "_ssl", "_hashlib"])


def is_plain(path: Path) -> bool:
    """Tell whether the bootstrap document at ``path`` names a gateway that is reached without TLS."""
    import msgspec

    try:
        with open(path, "rb") as stream:
            document = msgspec.json.decode(stream.read(_MAX_BYTES))
        endpoint = document["endpoint"].lower()
        return bool(document["transport"] == "gateway" and endpoint.startswith(("http://", "unix:")))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return False


def _load(names: Sequence[str], *, without: Sequence[str]) -> None:
    with imports.without(*without):
        for name in names:
            importlib.import_module(name)
