# SPDX-License-Identifier: Apache-2.0
"""Clients that work on while processes come and go, and note every answer that is not what they must get.

The requests go to two API processes as a balancer sends them: in turn, and to the other one if nobody listens.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import fixtures
import requests

from trove.common import clock
from trove.tests.e2e import base

_PAUSE = 0.2


class Failed(Exception):
    """A request was not answered, or not as it must be; it is noted."""


class Balancer:
    """Sends requests to the one of several endpoints whose turn it is, or to the next that listens."""

    def __init__(self, endpoints: Sequence[str], auth: tuple[str, str]) -> None:
        self._endpoints = list(endpoints)
        self._auth = auth
        self._lock = threading.Lock()
        self.sent = 0
        self.failures: list[str] = []

    def call(self, method: str, path: str, body: Any = None, *, expected: Sequence[int]) -> requests.Response:
        """Send one request.

        :raises Failed: when the answer has none of the ``expected`` status codes, or there is none.
        """
        try:
            answer = self._send(method, path, body)
        except requests.RequestException as err:
            raise self._failed(f"{method} {path}: {err!r}") from err
        if answer.status_code not in expected:
            raise self._failed(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer

    def _send(self, method: str, path: str, body: Any) -> requests.Response:
        with self._lock:
            self.sent += 1
            turn = self.sent % len(self._endpoints)
        *others, last = self._endpoints[turn:] + self._endpoints[:turn]
        for endpoint in others:
            try:
                return self._send_to(endpoint, method, path, body)
            except requests.ConnectionError as err:
                if not _refused(err):
                    raise
        return self._send_to(last, method, path, body)

    def _send_to(self, endpoint: str, method: str, path: str, body: Any) -> requests.Response:
        # No session: a connection of its own, which no process that ends can close between two requests.
        return requests.request(method, f"{endpoint}{path}", json=body, auth=self._auth, timeout=60)

    def _failed(self, what: str) -> Failed:
        with self._lock:
            self.failures.append(what)
        return Failed(what)


def _refused(err: requests.ConnectionError) -> bool:
    """Tell whether nobody listened, so that nobody can have begun to carry the request out."""
    reason = getattr(err.args[0], "reason", None) if err.args else None
    return type(reason).__name__ == "NewConnectionError"


class Life:
    """What a client does with instances, a step at a time."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer

    def create(self, name: str, datastore: str, **more: Any) -> str:
        """Request an instance and return its id."""
        body = {"name": name, "flavorRef": "1", "volume": {"size": 1}, "datastore": {"type": datastore}, **more}
        answer = self._balancer.call("POST", "/instances", {"instance": body}, expected=[200])
        return str(answer.json()["instance"]["id"])

    def wait_active(self, instance_id: str) -> None:
        """Wait until an instance is ACTIVE and HEALTHY."""

        def ready() -> bool:
            shown = self._balancer.call("GET", f"/instances/{instance_id}", expected=[200]).json()["instance"]
            assert shown["status"] != "ERROR", f"the instance failed: {shown}"
            return (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")

        base.wait_until(ready, f"instance {instance_id} is ACTIVE and HEALTHY", pause=_PAUSE)

    def restart(self, instance_id: str) -> None:
        """Restart the engine and wait for it."""
        self._balancer.call("POST", f"/instances/{instance_id}/action", {"restart": {}}, expected=[202])
        self.wait_active(instance_id)

    def delete(self, instance_id: str) -> None:
        """Delete an instance and wait until it is gone."""
        self._balancer.call("DELETE", f"/instances/{instance_id}", expected=[202])

        def gone() -> bool:
            answer = self._balancer.call("GET", f"/instances/{instance_id}", expected=[200, 404])
            return answer.status_code == requests.codes.not_found

        base.wait_until(gone, f"instance {instance_id} is gone", pause=_PAUSE)

    def whole(self, name: str, datastore: str) -> None:
        """Live the life of an instance from creation to deletion."""
        instance_id = self.create(name, datastore)
        self.wait_active(instance_id)
        self.restart(instance_id)
        self.delete(instance_id)

    def edit(self, instance_id: str, name: str) -> None:
        """Make a database and a user in an instance, wait until they are there, and remove both."""
        below, call = f"/instances/{instance_id}", self._balancer.call
        user = {"name": name, "password": "a-long-password", "databases": [{"name": name}]}
        call("POST", f"{below}/databases", {"databases": [{"name": name}]}, expected=[202])
        call("POST", f"{below}/users", {"users": [user]}, expected=[202])

        def there() -> bool:
            for what in ("databases", "users"):
                found = call("GET", f"{below}/{what}?limit=100", expected=[200]).json()[what]
                if name not in [item["name"] for item in found]:
                    return False
            return True

        base.wait_until(there, f"database and user {name} are there", pause=_PAUSE)
        call("DELETE", f"{below}/users/{name}", expected=[202])
        call("DELETE", f"{below}/databases/{name}", expected=[202])
        call("GET", "/instances", expected=[200])


class Load(fixtures.Fixture):
    """Threads that repeat something, each at its pace, until :meth:`finish` or the end of the test.

    :ivar rounds: how often each was done.
    """

    def __init__(self, **work: Callable[[int], None]) -> None:
        super().__init__()
        self._work = work
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.rounds = dict.fromkeys(work, 0)
        self.errors: list[str] = []

    def _setUp(self) -> None:
        self.addCleanup(self.finish)
        for name, call in self._work.items():
            thread = threading.Thread(target=self._repeat, args=(name, call), name=f"load-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _repeat(self, name: str, call: Callable[[int], None]) -> None:
        while not self._stopping.is_set():
            try:
                call(self.rounds[name])
            except Exception as err:  # boundary: noted for the test; the client tries the next one
                self.errors.append(f"{name} {self.rounds[name]}: {err!r}")
            self.rounds[name] += 1
            clock.wait(self._stopping, _PAUSE)

    def more(self, count: int = 1) -> None:
        """Wait until each of them was done ``count`` times from beginning to end, all of it after this call."""
        before = dict(self.rounds)
        base.wait_until(lambda: self._each_past(before, count), "the load went on", timeout=4 * base.PATIENCE)

    def _each_past(self, before: dict[str, int], count: int) -> bool:
        assert not self.errors, self.errors
        return all(self.rounds[name] > begun + count for name, begun in before.items())

    def finish(self) -> None:
        """Let what is under way end, and stop."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * base.PATIENCE)
