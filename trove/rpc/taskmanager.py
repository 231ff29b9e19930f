# SPDX-License-Identifier: Apache-2.0
"""Hints to taskmanagers."""

from typing import Protocol

import oslo_messaging as messaging
from oslo_config import cfg

from trove.rpc import transport

TARGET = messaging.Target(version="1.0")


class Wakes(Protocol):
    """Whatever can be told that a workflow is due."""

    def wake(self, workflow_id: str) -> None: ...


class TaskManagerClient(transport.HintClient):
    """Tells one taskmanager that a workflow is due.

    Version history:

    * 1.0 - ``wake(workflow_id)``
    """

    version = "1.0"

    def __init__(self, conf: cfg.ConfigOpts, bus: transport.Transport) -> None:
        super().__init__(bus, conf.taskmanager_queue, fanout=False)

    def wake(self, workflow_id: str) -> None:
        """Hint that ``workflow_id`` has something to do now."""
        self._hint("wake", workflow_id=workflow_id)


class TaskManagerEndpoint:
    """What a taskmanager answers to."""

    target = TARGET

    def __init__(self, worker: Wakes) -> None:
        self._worker = worker

    def wake(self, _ctxt: object, workflow_id: str) -> None:
        """Pass the hint on."""
        self._worker.wake(workflow_id)


def server(
    conf: cfg.ConfigOpts, bus: transport.Transport, worker: Wakes, name: str
) -> transport.HintServer:
    """Return the server of one taskmanager; ``name`` must differ between processes."""
    return transport.HintServer(bus, conf.taskmanager_queue, name, [TaskManagerEndpoint(worker)])
