# SPDX-License-Identifier: Apache-2.0
"""A token bucket: so much at once, and so much per second from then on.

Pure: the caller says what time it is, in seconds on a clock that never goes backwards.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """What is left of one budget. A new one is full.

    :param rate: tokens that come back in a second; more than 0.
    :param capacity: tokens it holds at most.
    :param level: tokens it holds at ``moment``; below zero while a debt is paid off.
    """

    rate: float
    capacity: float
    level: float
    moment: float

    @classmethod
    def full(cls, rate: float, capacity: float, now: float) -> "TokenBucket":
        """Return a bucket that nothing was taken from yet."""
        return cls(rate, capacity, capacity, now)

    def available(self, now: float) -> float:
        """Return how many tokens there are; negative while there is a debt."""
        if now > self.moment:
            self.level = min(self.capacity, self.level + (now - self.moment) * self.rate)
            self.moment = now
        return self.level

    def take(self, amount: float, now: float) -> float:
        """Take ``amount`` tokens and return 0, or take none and return the seconds until there will be enough.

        More than the bucket holds is granted when it is full; the rest is a debt. Otherwise it would never be granted.
        """
        wait = self.wait(amount, now)
        if not wait:
            self.level -= amount
        return wait

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until :meth:`take` will grant ``amount``, 0 when it does now."""
        return max(0.0, min(amount, self.capacity) - self.available(now)) / self.rate

    def spend(self, amount: float, now: float) -> None:
        """Take what was used already, into debt if need be, of at most one capacity."""
        self.level = max(self.available(now) - amount, -self.capacity)
