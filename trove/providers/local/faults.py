# SPDX-License-Identifier: Apache-2.0
"""Errors of single things in a loop over many: the others go on, each error is logged once, and what fails is tried
again with growing pauses."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from trove.common import clock
from trove.common.backoff import EXACT, Backoff, Failures
from trove.providers import base
from trove.providers.local import locks

LOG = logging.getLogger(__name__)

#: Pauses between two attempts …
PAUSES = Backoff(first=2.0, cap=60.0, jitter=EXACT)
#: … or none: everything is tried each time.
AT_ONCE = Backoff(first=0.0, cap=0.0)


def kind(error: Exception) -> tuple[type[Exception], int | None]:
    """Return what tells errors apart. Not the text, which may name something else each time."""
    return type(error), error.errno if isinstance(error, OSError) else None


@dataclass
class _Fault:
    error: Exception
    waits: Failures
    due: float


class Faults:
    """What is wrong with which things. Not thread-safe; two threads at once log an error twice at worst.

    :param through: errors that are not about one thing, and end the loop: who waits in vain for the lock of the host
        would do so for each thing.
    """

    def __init__(
        self, *, pauses: Backoff = PAUSES, through: tuple[type[Exception], ...] = (locks.LockTimeout,)
    ) -> None:
        self._pauses = pauses
        self._through = through
        self._faults: dict[str, _Fault] = {}

    def attempt(self, name: str, call: Callable[..., object], *args: object, now: bool = False) -> Exception | None:
        """Call ``call(*args)`` for the thing with this name, unless its pause is not over; return what is wrong.

        :param now: call it in any case.
        """
        known = self._faults.get(name)
        if known is not None and not now and clock.monotonic() < known.due:
            return known.error
        try:
            call(*args)
        except self._through:
            raise
        except Exception as err:  # boundary: one thing that fails must not stop the others
            self._note(name, known, err)
            return err
        if self._faults.pop(name, None) is not None:
            LOG.info("%s: works again", name)
        return None

    def _note(self, name: str, known: _Fault | None, error: Exception) -> None:
        waits = Failures(self._pauses) if known is None else known.waits
        self._faults[name] = _Fault(error, waits, clock.monotonic() + waits.next())
        if known is None or kind(known.error) != kind(error):
            unexpected = not isinstance(error, (base.ProviderError, OSError))
            LOG.error("%s: %s; it is tried again", name, str(error) or type(error).__name__, exc_info=unexpected)

    def keep(self, names: Collection[str]) -> None:
        """Forget everything that does not exist any more."""
        self._faults = {name: fault for name, fault in self._faults.items() if name in names}
