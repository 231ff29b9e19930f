# SPDX-License-Identifier: Apache-2.0
"""Few passwords are hashed at a time, and one that several requests bring is hashed once.

A hash takes a quarter of a second of a core on purpose, and is computed for callers whom nobody knows yet. A hundred
guesses at once would occupy every thread of the API for ten seconds, before the brake on guessing
(:mod:`trove.api.throttle`) has counted them.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from trove.common import exception


class PasswordChecks:
    """The checks of one process. Thread-safe.

    :param most: different passwords that are checked at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[bool]] = {}

    def run(self, key: Hashable, check: Callable[[], bool]) -> bool:
        """Return what ``check()`` returns, or what it returns to another thread that runs it just now.

        :param key: what is checked against what.
        :raises ServiceUnavailable: when too many are running.
        :raises Exception: whatever ``check`` raises.
        """
        with self._lock:
            outcome = self._running.get(key)
            mine = outcome is None
            if outcome is None:
                if len(self._running) >= self._most:
                    raise exception.ServiceUnavailable("Too many passwords are being checked; try again.")
                outcome = self._running[key] = Future()
        if mine:
            try:
                outcome.set_result(check())
            except BaseException as err:
                outcome.set_exception(err)
                raise
            finally:
                with self._lock:
                    del self._running[key]
        return outcome.result()
