# SPDX-License-Identifier: Apache-2.0
"""Log lines that come once in a period, however often their cause does.

A service that is overloaded, or has lost its database, refuses hundreds of requests a second for one and the same
reason: one line a minute that says how many there were tells as much.
"""

import logging
import threading

from trove.common import clock

#: Seconds between two lines of one kind.
PERIOD = 60.0
#: Kinds that are remembered at once.
_MAX_KINDS = 1000


class LogLimit:
    """Logs the first record of each kind at once, and then one in each period. Thread-safe.

    :param period: seconds.
    """

    def __init__(self, logger: logging.Logger, period: float = PERIOD) -> None:
        self._logger = logger
        self._period = period
        self._lock = threading.Lock()
        #: Kind: when its last line was, and how many records have come since.
        self._kinds: dict[str, tuple[float, int]] = {}

    def log(self, level: int, kind: str, text: str) -> None:
        """Log ``text``, or only count it.

        :param kind: which records count as the same.
        """
        now = clock.monotonic()
        with self._lock:
            last, held_back = self._kinds.get(kind, (float("-inf"), 0))
            if now - last < self._period:
                self._kinds[kind] = (last, held_back + 1)
                return
            if len(self._kinds) >= _MAX_KINDS:
                self._kinds.clear()
            self._kinds[kind] = (now, 0)
        if held_back:
            self._logger.log(level, "%s (and %d times more since it was last logged)", text, held_back)
        else:
            self._logger.log(level, "%s", text)
