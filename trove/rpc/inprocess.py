# SPDX-License-Identifier: Apache-2.0
"""The control bus of a service that is one process: a hint is a call.

What it calls only puts a note into a queue or sets an event, so the sender is not held up. The bus of the messaging
library within a process (``fake://``) looks into its queues twenty times a second: a creation with its half a dozen
hints waited a tenth of a second and more for nothing but that, and an idle service never slept.

Like every bus it promises nothing: a hint to a topic that nobody serves is lost.
"""

import inspect
import threading
from collections.abc import Sequence
from typing import Any


class Bus:
    """Topics and who serves them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, list[Server]] = {}
        self._turn = 0

    def server(self, topic: str, endpoints: Sequence[Any]) -> "Server":
        """Return a server of ``topic``; it hears nothing before it is started."""
        return Server(self, topic, endpoints)

    def client(self, topic: str, *, fanout: bool) -> "Client":
        """Return what sends to ``topic``: to all of its servers, or to one of them."""
        return Client(self, topic, fanout=fanout)

    def join(self, server: "Server") -> None:
        """Let a server hear what is sent from now on."""
        with self._lock:
            self._servers[server.topic] = [*self._servers.get(server.topic, ()), server]

    def leave(self, server: "Server") -> None:
        """Let a server hear nothing any more; safe to repeat."""
        with self._lock:
            self._servers[server.topic] = [item for item in self._servers.get(server.topic, ()) if item is not server]

    def listeners(self, topic: str, *, fanout: bool) -> Sequence["Server"]:
        """Return who is to hear the next hint; without ``fanout`` the servers take turns."""
        with self._lock:
            servers = self._servers.get(topic, [])
            if fanout or len(servers) < 2:
                return servers
            self._turn += 1
            return [servers[self._turn % len(servers)]]


class Server:
    """One server of a topic; a :class:`trove.common.service.Part`."""

    def __init__(self, bus: Bus, topic: str, endpoints: Sequence[Any]) -> None:
        self.topic = topic
        self._bus = bus
        self._endpoints = list(endpoints)

    def start(self) -> None:
        """Begin to receive."""
        self._bus.join(self)

    def stop(self) -> None:
        """Stop receiving."""
        self._bus.leave(self)

    def wait(self) -> None:
        """Nothing is under way once :meth:`stop` has returned, but what its senders see to."""

    def hear(self, context: dict[str, Any], method: str, arguments: dict[str, Any]) -> None:
        """Hand a hint to the endpoint that has the method.

        :raises LookupError: when none has.
        """
        for endpoint in self._endpoints:
            found = getattr(endpoint, method, None)
            if inspect.ismethod(found) and not method.startswith("_"):
                found(context, **arguments)
                return
        raise LookupError(f"nobody on {self.topic} answers to '{method}'")


class Client:
    """Sends to one topic."""

    def __init__(self, bus: Bus, topic: str, *, fanout: bool) -> None:
        self._bus = bus
        self._topic = topic
        self._fanout = fanout

    def cast(self, context: dict[str, Any], method: str, **arguments: Any) -> None:
        """Deliver a hint now.

        :raises Exception: whatever the receiver raises; the sender of a hint forgets it.
        """
        for server in self._bus.listeners(self._topic, fanout=self._fanout):
            server.hear(context, method, arguments)
