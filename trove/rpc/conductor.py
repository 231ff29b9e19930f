# SPDX-License-Identifier: Apache-2.0
"""Hints to conductors."""

from typing import Protocol

import oslo_messaging as messaging
from oslo_config import cfg

from trove.rpc import transport

TARGET = messaging.Target(version="1.0")


class Delivers(Protocol):
    """Whatever can be told that a guest has commands waiting."""

    def deliver(self, instance_id: str) -> None: ...


class ConductorClient(transport.HintClient):
    """Tells every conductor that a guest has commands waiting: only one of them holds the guest's poll.

    Version history:

    * 1.0 - ``deliver(instance_id)``
    """

    version = "1.0"

    def __init__(self, conf: cfg.ConfigOpts, bus: transport.Transport) -> None:
        super().__init__(bus, conf.conductor_queue, fanout=True)

    def deliver(self, instance_id: str) -> None:
        """Hint that the guest of ``instance_id`` has commands waiting."""
        self._hint("deliver", instance_id=instance_id)


class ConductorEndpoint:
    """What a conductor answers to."""

    target = TARGET

    def __init__(self, conductor: Delivers) -> None:
        self._conductor = conductor

    def deliver(self, _ctxt: object, instance_id: str) -> None:
        """Pass the hint on."""
        self._conductor.deliver(instance_id)


def server(
    conf: cfg.ConfigOpts, bus: transport.Transport, conductor: Delivers, name: str
) -> transport.HintServer:
    """Return the server of one conductor; ``name`` must differ between processes."""
    return transport.HintServer(bus, conf.conductor_queue, name, [ConductorEndpoint(conductor)])
