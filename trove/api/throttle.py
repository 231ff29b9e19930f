# SPDX-License-Identifier: Apache-2.0
"""A brake on guessing passwords, in the memory of one API process.

Failures are counted in leaky buckets: one for each pair of a user and a client address, one for each address whatever
the users. Whoever has filled one must wait until a failure has leaked out, and what they send meanwhile is not looked
at, so that a lucky guess does not help them either. Nothing is counted for a user alone: a guesser can lock the user
out only where both have the same address. Users who do not exist are treated like those who do.

A success empties the bucket of its pair, but not that of its address: otherwise who has an account could guess the
passwords of others for ever.
"""

import hashlib
import logging
import math
import secrets
import threading
from collections import OrderedDict

from oslo_config import cfg

from trove.common import clock, exception
from trove.httpserver.sockets import network_of

LOG = logging.getLogger(__name__)

#: Buckets kept at most, of pairs and of addresses each; the one that was filled longest ago goes first.
_MOST = 10_000


class _Buckets:
    """Buckets that hold ``size`` failures each and leak them evenly over ``window`` seconds; size 0: no limit."""

    def __init__(self, size: int, window: float) -> None:
        self._size = size
        self._pace = size / window
        #: Level when it was last raised, and when that was; the most recently raised one last.
        self._levels: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait(self, key: bytes, now: float) -> float:
        """Return the seconds until another failure has room, 0 when it has."""
        if not self._size or key not in self._levels:
            return 0.0
        return max(0.0, (self._level(key, now) + 1 - self._size) / self._pace)

    def add(self, key: bytes, now: float) -> bool:
        """Count a failure; return whether that has filled the bucket.

        It may overflow, because several threads check passwords at a time; then it takes longer to leak.
        """
        if not self._size:
            return False
        level = self._level(key, now)
        self._levels[key] = (level + 1, now)
        self._levels.move_to_end(key)
        if len(self._levels) > _MOST:
            self._levels.popitem(last=False)
        return level + 1 <= self._size < level + 2

    def empty(self, key: bytes) -> None:
        """Forget the failures of ``key``."""
        self._levels.pop(key, None)

    def _level(self, key: bytes, now: float) -> float:
        level, since = self._levels.get(key, (0.0, now))
        return max(0.0, level - (now - since) * self._pace)


class Throttle:
    """All buckets of one process; safe to use from several threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        window = float(conf.http_basic_failure_window)
        self._pairs = _Buckets(conf.http_basic_max_failures, window)
        self._addresses = _Buckets(conf.http_basic_max_failures_per_address, window)
        # Neither long names nor a reader of the memory's keys: a name typed by mistake may be a password.
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def admit(self, user: str, address: str | None) -> None:
        """Refuse to look at a password while too many were wrong.

        :raises AuthenticationThrottled: with the time to wait.
        """
        pair, place = self._keys(user, address)
        now = clock.monotonic()
        with self._lock:
            wait = max(self._pairs.wait(pair, now), self._addresses.wait(place, now))
        if wait > 0:
            raise exception.AuthenticationThrottled(retry_after=math.ceil(wait))

    def failed(self, user: str, address: str | None) -> None:
        """Count a wrong password."""
        pair, place = self._keys(user, address)
        now = clock.monotonic()
        with self._lock:
            full = self._pairs.add(pair, now)
            full_place = self._addresses.add(place, now)
        if full_place:
            LOG.warning("Too many wrong passwords from %s, which is not listened to for a while", ascii(address))
        elif full:
            LOG.warning(
                "Too many wrong passwords of user %s from %s, which are not looked at for a while",
                ascii(user[:64]),
                ascii(address),
            )

    def succeeded(self, user: str, address: str | None) -> None:
        """Forget the wrong passwords of this user from this address."""
        pair, _ = self._keys(user, address)
        with self._lock:
            self._pairs.empty(pair)

    def _keys(self, user: str, address: str | None) -> tuple[bytes, bytes]:
        place = place_of(address).encode()
        return self._digest(place + b"\0" + user.encode()), self._digest(place)

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()


def place_of(address: str | None) -> str:
    """Return what stands for all addresses that one client may choose from: of IPv6, the network of 64 bits.

    Behind several addresses (``X-Forwarded-For``) the last one counts, which the nearest proxy has seen itself; what
    stands before it, a client may have written.

    >>> place_of("198.51.100.7, 2001:db8::1:2")
    '2001:db8::/64'
    """
    text = (address or "").rpartition(",")[2].strip().strip('"')
    if text.startswith("["):  # an IPv6 address with a port, as RFC 7239 writes it
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return network_of(text)
    except ValueError:
        return text
