# SPDX-License-Identifier: Apache-2.0
"""Rate limits: a leaky bucket per project and verb, in the memory of one API process.

A bucket holds ``value`` requests and leaks them evenly over a minute. All limits are off by default: a proxy in front
usually does this better, because it counts for all processes.
"""

import datetime
import math
import threading
from dataclasses import dataclass

from oslo_config import cfg

from trove.common import clock, exception

_PERIOD = 60.0
#: Buckets are swept when there are this many; empty ones go.
_SWEEP_AT = 10_000


@dataclass(frozen=True)
class Rule:
    """A limit of ``value`` requests per minute and project."""

    verb: str
    uri: str
    regex: str
    value: int


@dataclass(frozen=True)
class Standing:
    """How a project stands with a rule: requests left now, and when the next one is accepted (UTC)."""

    rule: Rule
    remaining: int
    next_available: datetime.datetime


class RateLimiter:
    """All buckets of one process; safe to use from several threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        every = (
            Rule("POST", "*", ".*", conf.http_post_rate),
            Rule("PUT", "*", ".*", conf.http_put_rate),
            Rule("DELETE", "*", ".*", conf.http_delete_rate),
            Rule("GET", "*", ".*", conf.http_get_rate),
            Rule("POST", "*/mgmt", "^/mgmt", conf.http_mgmt_post_rate),
        )
        #: The rules in force, in the order that clients list them.
        self.rules = tuple(rule for rule in every if rule.value)
        self._levels: dict[tuple[str, Rule], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def admit(self, project_id: str, method: str, path: tuple[str, ...]) -> None:
        """Count one request; a refused one is not counted.

        :param path: decoded segments, project included.
        :raises RateLimited: when a bucket is full.
        """
        if not self.rules:
            return
        verb = "PUT" if method == "PATCH" else method
        management = path[2:3] == ("mgmt",)
        rules = [rule for rule in self.rules if rule.verb == verb and (rule.uri == "*" or management)]
        now = clock.monotonic()
        with self._lock:
            levels = [(rule, self._level(project_id, rule, now)) for rule in rules]
            for rule, level in levels:
                if level + 1 > rule.value:
                    raise _refusal(rule, level)
            for rule, level in levels:
                self._levels[project_id, rule] = (level + 1, now)
            if len(self._levels) > _SWEEP_AT:
                self._levels = {key: kept for key, kept in self._levels.items() if self._level(*key, now) > 0}

    def standings(self, project_id: str) -> list[Standing]:
        """Return how a project stands with every rule in force."""
        now, utc = clock.monotonic(), clock.utcnow()
        with self._lock:
            levels = [(rule, self._level(project_id, rule, now)) for rule in self.rules]
        return [
            Standing(rule, max(0, math.floor(rule.value - level)), utc + datetime.timedelta(seconds=_wait(rule, level)))
            for rule, level in levels
        ]

    def _level(self, project_id: str, rule: Rule, now: float) -> float:
        level, since = self._levels.get((project_id, rule), (0.0, now))
        return max(0.0, level - (now - since) * rule.value / _PERIOD)


def _wait(rule: Rule, level: float) -> float:
    return max(0.0, (level + 1 - rule.value) * _PERIOD / rule.value)


def _refusal(rule: Rule, level: float) -> exception.RateLimited:
    error = exception.RateLimited("This request was rate-limited.", retry_after=math.ceil(_wait(rule, level)))
    error.details = f"Only {rule.value} {rule.verb} requests can be made to {rule.uri} every MINUTE."
    return error
