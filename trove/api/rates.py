# SPDX-License-Identifier: Apache-2.0
"""Rate limits: a token bucket per project and verb, in the memory of one API process.

A bucket holds ``value`` requests, which come back evenly over a minute. All limits are off by default: a proxy in front
usually does this better, because it counts for all processes.
"""

import datetime
import math
import threading
from dataclasses import dataclass

from oslo_config import cfg

from trove.common import clock, exception
from trove.domain.token_bucket import TokenBucket

_PERIOD = 60.0
#: Buckets are swept when there are this many; full ones go.
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
        self._buckets: dict[tuple[str, Rule], TokenBucket] = {}
        self._lock = threading.Lock()

    def admit(self, project_id: str, method: str, path: tuple[str, ...]) -> None:
        """Count one request; a refused one is not counted.

        :param path: decoded segments, project included.
        :raises RateLimited: when a bucket is empty.
        """
        if not self.rules:
            return
        verb = "PUT" if method == "PATCH" else method
        management = path[2:3] == ("mgmt",)
        rules = [rule for rule in self.rules if rule.verb == verb and (rule.uri == "*" or management)]
        now = clock.monotonic()
        with self._lock:
            buckets = [(rule, self._bucket(project_id, rule, now)) for rule in rules]
            for rule, bucket in buckets:
                if wait := bucket.wait(1, now):
                    raise _refusal(rule, wait)
            for rule, bucket in buckets:
                bucket.take(1, now)
                self._buckets[project_id, rule] = bucket
            if len(self._buckets) > _SWEEP_AT:
                self._buckets = {
                    key: kept for key, kept in self._buckets.items() if kept.available(now) < kept.capacity
                }

    def standings(self, project_id: str) -> list[Standing]:
        """Return how a project stands with every rule in force."""
        now, utc = clock.monotonic(), clock.utcnow()  # noqa: T303  shown only: no process stores or compares it
        with self._lock:
            buckets = [(rule, self._bucket(project_id, rule, now)) for rule in self.rules]
            return [
                Standing(rule, math.floor(bucket.available(now)), utc + datetime.timedelta(seconds=bucket.wait(1, now)))
                for rule, bucket in buckets
            ]

    def _bucket(self, project_id: str, rule: Rule, now: float) -> TokenBucket:
        found = self._buckets.get((project_id, rule))
        return found or TokenBucket.full(rule.value / _PERIOD, rule.value, now)


def _refusal(rule: Rule, wait: float) -> exception.RateLimited:
    error = exception.RateLimited("This request was rate-limited.", retry_after=math.ceil(wait))
    error.details = f"Only {rule.value} {rule.verb} requests can be made to {rule.uri} every MINUTE."
    return error
