# SPDX-License-Identifier: Apache-2.0
"""Every kind of long work, one module each; :func:`register_all` makes them known to a worker."""

from trove.taskmanager import operating
from trove.taskmanager.flows import (
    access,
    configure,
    create,
    delete,
    edit,
    logs,
    modules,
    push,
    reboot,
    resize,
    restart,
)
from trove.workflow.model import Flow
from trove.workflow.registry import Registry

#: Every flow that may be in flight, old versions included. Their hooks move instances; what every end needs besides
#: comes with the registration.
FLOWS: tuple[Flow, ...] = (
    create.FLOW,
    delete.FLOW,
    restart.FLOW,
    reboot.REBOOT,
    reboot.MIGRATE,
    resize.FLAVOR,
    resize.VOLUME,
    configure.FLOW,
    push.FLOW,
    access.FLOW,
    *edit.FLOWS,
    *logs.FLOWS,
    modules.APPLY,
    modules.REMOVE,
    modules.REAPPLY,
    modules.WITHDRAW,
)


def register_all(registry: Registry) -> Registry:
    """Register :data:`FLOWS` and return ``registry``."""
    for flow in FLOWS:
        registry.register(operating.complete(flow))
    return registry


def find(kind: str, version: int) -> Flow | None:
    """Return one of :data:`FLOWS`; ``None`` when it is of another release."""
    return next((flow for flow in FLOWS if (flow.kind, flow.version) == (kind, version)), None)
