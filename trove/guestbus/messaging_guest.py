# SPDX-License-Identifier: Apache-2.0
"""The guest's end of the messaging transport: its own queue to listen on, the conductors' topic to write to.

Uses oslo.messaging and therefore much memory; the gateway is the transport for small guests. Import it only when the
bootstrap document says ``messaging``.
"""

import contextlib
import queue

from oslo_config import cfg

from trove.conf import messaging as options
from trove.guestbus import messaging_casts, topics
from trove.guestbus.transport import TransportError

_MAX_QUEUED = 1000


class MessagingGuest:
    """A :class:`trove.guestbus.transport.GuestTransport` over a broker. Thread-safe.

    :param endpoint: transport URL of the guests' virtual host, with this guest's account.
    :raises TransportError: when the broker cannot be reached.
    """

    needs_poll = False

    def __init__(self, endpoint: str, instance_id: str) -> None:
        conf = cfg.ConfigOpts()
        options.register_opts(conf)
        conf([], project="trove-guestagent", default_config_files=[], default_config_dirs=[])
        self.poll_after = 0.0
        self.heartbeat_taken = False
        self._queue: queue.Queue[bytes] = queue.Queue(_MAX_QUEUED)
        self._transport = messaging_casts.open_transport(conf, endpoint)
        self._sender = messaging_casts.CastSender(self._transport)
        topic = topics.guest_topic(instance_id)
        self._listener = messaging_casts.CastListener(self._transport, topic, topics.LISTENER, self._take)
        self._closed = False
        try:
            self._listener.start()
        except Exception as err:  # boundary: the driver raises its own and kombu's errors; their texts may hold the URL
            raise TransportError(f"the message broker cannot be reached ({type(err).__name__})") from None

    def exchange(self, envelope: bytes | None, wait: float) -> list[bytes]:
        """See :meth:`trove.guestbus.transport.GuestTransport.exchange`. What is sent is answered to who listens."""
        if self._closed:
            raise TransportError("the transport is closed")
        if envelope is not None:
            try:
                self._sender.send(topics.REPORTS, [envelope])
            except messaging_casts.CastError as err:
                raise TransportError(str(err)) from None
            return []
        found: list[bytes] = []
        try:
            found.append(self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait())
            while True:
                found.append(self._queue.get_nowait())
        except queue.Empty:
            return [item for item in found if item]

    def close(self) -> None:
        """See :meth:`trove.guestbus.transport.GuestTransport.close`."""
        if self._closed:
            return
        self._closed = True
        self._take(b"")  # wakes a thread that waits
        self._listener.stop()
        self._transport.cleanup()

    def _take(self, data: bytes) -> None:
        with contextlib.suppress(queue.Full):  # what does not fit will be sent again
            self._queue.put_nowait(data)
