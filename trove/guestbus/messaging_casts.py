# SPDX-License-Identifier: Apache-2.0
"""Envelopes as oslo.messaging casts: what both ends of the messaging transport share.

Cast-only, and not by good will: oslo.messaging answers whatever message asks for an answer, by writing to a queue *that
the message names*. With that, a guest could make a conductor write into any queue of the virtual host. :class:`_Inbox`
therefore handles messages itself and takes away their means to reply.

Importing this module imports oslo.messaging (tens of megabytes); a guest does so only for this transport.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Sequence
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging.rpc import server as rpc_server

from trove.common.log_limit import LogLimit
from trove.guestbus import envelope, topics

LOG = logging.getLogger(__name__)

#: Longest text of an envelope in base64.
_MAX_TEXT = (envelope.MAX_BYTES + 2) // 3 * 4


class CastError(Exception):
    """The broker did not take a message. The text holds no URL and no password."""


class _Inbox:
    """Takes the place of oslo.messaging's dispatcher, endpoints and replies.

    :param take: gets the bytes of each envelope.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        # All guests share an account of the broker, so any of them can send what is none, as fast as it likes.
        self._failures = LogLimit(LOG)

    def dispatch(self, incoming: Any) -> None:
        """Hand one message on. Never raises: an exception would be sent to whom the message names."""
        incoming.reply = _no_reply
        try:
            data = _envelope_in(incoming.message)
            if data is None:
                self._failures.log(
                    logging.WARNING, "dropped", "dropped a message on the guest bus that is not an envelope"
                )
                return
            self._take(data)
        except Exception as err:  # boundary: see above; the sender repeats what was not acknowledged
            kind = type(err).__name__
            self._failures.log(logging.ERROR, kind, f"a message on the guest bus could not be handled: {kind}")


class CastListener:
    """Receives envelopes on one topic.

    :param server: name of this listener, different from others on the topic.
    :param threads: how many messages are handled at the same time; one keeps their order.
    """

    def __init__(
        self, transport: Any, topic: str, server: str, take: Callable[[bytes], None], *, threads: int = 1
    ) -> None:
        target = oslo_messaging.Target(exchange=topics.EXCHANGE, topic=topic, server=server)
        self._threads = threads
        self._server = rpc_server.RPCServer(transport, target, _Inbox(take), "threading")

    def start(self) -> None:
        """Declare the queue and begin to receive."""
        self._server.start(override_pool_size=self._threads)

    def stop(self) -> None:
        """Stop receiving and wait for what is under way. Safe to repeat."""
        self._server.stop()
        self._server.wait()


class CastSender:
    """Sends envelopes to topics.

    :param retries: attempts to reach the broker before giving up.
    """

    def __init__(self, transport: Any, *, retries: int = 1) -> None:
        target = oslo_messaging.Target(exchange=topics.EXCHANGE, topic=topics.REPORTS)
        self._client = oslo_messaging.get_rpc_client(transport, target, retry=retries)

    def send(self, topic: str, envelopes: Sequence[bytes]) -> None:
        """Send ``envelopes`` in order.

        :raises CastError: when the broker could not be reached; some may have been sent.
        """
        client = self._client.prepare(topic=topic)
        try:
            for item in envelopes:
                client.cast({}, topics.METHOD, **{topics.ARGUMENT: base64.b64encode(item).decode()})
        except Exception as err:  # boundary: a broker that is away shows in errors of several libraries
            raise CastError(f"the message broker cannot be reached ({type(err).__name__})") from None


def open_transport(conf: cfg.ConfigOpts, url: str) -> Any:
    """Return an oslo.messaging transport for the guests' virtual host."""
    return oslo_messaging.get_rpc_transport(conf, url=url, allowed_remote_exmods=[])


def _envelope_in(message: Any) -> bytes | None:
    if not isinstance(message, dict) or message.get("method") != topics.METHOD:
        return None
    arguments = message.get("args")
    text = arguments.get(topics.ARGUMENT) if isinstance(arguments, dict) else None
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _no_reply(*_arguments: object, **_options: object) -> None:
    """Whatever asks for a reply gets none."""
