# SPDX-License-Identifier: Apache-2.0
"""Every kind of long work, one module each; :func:`register_all` makes them known to a worker."""

from trove.taskmanager.announce import announcing
from trove.taskmanager.flows import access, configure, create, delete, edit, logs, modules, reboot, resize, restart
from trove.workflow.registry import Registry


def register_all(registry: Registry) -> Registry:
    """Register every flow that may be in flight, old versions included, and return ``registry``."""
    for flow in (
        create.FLOW,
        delete.FLOW,
        restart.FLOW,
        reboot.REBOOT,
        reboot.MIGRATE,
        resize.FLAVOR,
        resize.VOLUME,
        configure.FLOW,
        access.FLOW,
        *edit.FLOWS,
        *logs.FLOWS,
        modules.APPLY,
        modules.REMOVE,
        modules.REAPPLY,
    ):
        registry.register(announcing(flow))
    return registry
