# SPDX-License-Identifier: Apache-2.0
"""The control bus's transport, targets and servers.

Only casts with plain JSON arguments travel here: no identity, no token, no secret. What must not be lost is a
committed row.
"""

import logging
from collections.abc import Sequence
from typing import Any

import oslo_messaging as messaging
from oslo_config import cfg

from trove.common.log_limit import LogLimit
from trove.rpc import inprocess

LOG = logging.getLogger(__name__)

#: What hints travel on: a broker's transport, or the bus within a service that is one process.
Transport = messaging.transport.RPCTransport | inprocess.Bus


def control_transport(conf: cfg.ConfigOpts, url: str | None = None) -> messaging.transport.RPCTransport:
    """Return the transport of the control bus.

    :param url: transport URL; ``None`` means ``[DEFAULT] transport_url``. ``fake://`` stays within the process.
    """
    messaging.set_transport_defaults("trove")
    return messaging.get_rpc_transport(conf, url=url, allowed_remote_exmods=[])


class HintServer:
    """Receives the casts of one topic.

    :param endpoints: objects whose public methods are callable by name, each with an oslo.messaging ``target``.
    """

    def __init__(self, transport: Transport, topic: str, server: str, endpoints: Sequence[Any]) -> None:
        self._server: Any
        if isinstance(transport, inprocess.Bus):
            self._server = transport.server(topic, endpoints)
            return
        self._server = messaging.get_rpc_server(
            transport,
            messaging.Target(topic=topic, server=server),
            list(endpoints),
            executor="threading",
            serializer=messaging.JsonPayloadSerializer(),
            access_policy=messaging.rpc.DefaultRPCAccessPolicy,
        )

    def start(self) -> None:
        """Begin to receive."""
        self._server.start()

    def stop(self) -> None:
        """Stop receiving and wait for calls under way."""
        self._server.stop()
        self._server.wait()


class HintClient:
    """Sends casts to one topic; a hint that cannot be sent is logged and forgotten, because a poll makes up for it."""

    #: Version of the interface that this client speaks.
    version = "1.0"

    def __init__(self, transport: Transport, topic: str, *, fanout: bool) -> None:
        self._failures = LogLimit(LOG)
        self._client: Any
        if isinstance(transport, inprocess.Bus):
            self._client = transport.client(topic, fanout=fanout)
            return
        self._client = messaging.get_rpc_client(
            transport,
            messaging.Target(topic=topic, version=self.version, fanout=fanout),
            serializer=messaging.JsonPayloadSerializer(),
            # The default is to try for ever, so that a broker that is away would hold every request and every worker.
            retry=0,
        )

    def _hint(self, method: str, **arguments: str) -> None:
        try:
            self._client.cast({}, method, **arguments)
        except Exception as err:  # boundary: a lost hint must never fail the request whose row is already committed
            kind = type(err).__name__
            text = f"the hint {method} was lost ({kind}); polling will find the work"
            self._failures.log(logging.WARNING, f"{method} {kind}", text)
