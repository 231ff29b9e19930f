# SPDX-License-Identifier: Apache-2.0
"""The conductor's end of the messaging transport."""

from collections.abc import Callable, Sequence

import oslo_messaging
from oslo_config import cfg

from trove.guestbus import messaging_casts, topics
from trove.guestbus.messaging_casts import CastError

__all__ = ["CastError", "MessagingControl", "same_virtual_host"]


def same_virtual_host(conf: cfg.ConfigOpts, url: str) -> bool:
    """Tell whether ``url`` leads to the virtual host of ``[DEFAULT] transport_url``, the control plane's own bus."""
    own = getattr(conf, "transport_url", None)
    if not own:
        return False
    sides = [oslo_messaging.TransportURL.parse(conf, item) for item in (own, url)]
    hosts = [{(host.hostname, host.port or 5672) for host in side.hosts} for side in sides]
    return (sides[0].virtual_host or "") == (sides[1].virtual_host or "") and bool(hosts[0] & hosts[1])


class MessagingControl:
    """Receives reports of all guests of one virtual host and sends to each guest's own topic.

    :param url: transport URL of the guests' virtual host; never that of the control plane.
    :param take: gets each envelope, from several threads.
    :param server: name of this process.
    """

    def __init__(
        self, conf: cfg.ConfigOpts, url: str, take: Callable[[bytes], None], *, server: str, threads: int = 8
    ) -> None:
        self._transport = messaging_casts.open_transport(conf, url)
        self._sender = messaging_casts.CastSender(self._transport)
        self._listener = messaging_casts.CastListener(self._transport, topics.REPORTS, server, take, threads=threads)
        self._started = False

    def start(self) -> None:
        """Begin to receive."""
        self._listener.start()
        self._started = True

    def stop(self) -> None:
        """Stop receiving and close the connections. Safe to repeat."""
        if self._started:
            self._started = False
            self._listener.stop()
            self._transport.cleanup()

    def send(self, instance_id: str, envelopes: Sequence[bytes]) -> None:
        """Send ``envelopes`` to one guest, in order. A guest that has never listened misses them.

        :raises CastError: when the broker cannot be reached.
        """
        self._sender.send(topics.guest_topic(instance_id), envelopes)
