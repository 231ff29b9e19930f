# SPDX-License-Identifier: Apache-2.0
"""Applying modules to instances and removing them: what is noted, what the guest is told, the workflow that waits."""

import contextlib
from collections.abc import Sequence

from trove.domain import operations
from trove.objects import errors, instance_listing, instance_module
from trove.objects.instance import Instance
from trove.objects.module import Module
from trove.objects.scope import Scope
from trove.operations import readiness, submitting
from trove.operations.work import Work
from trove.wire import command

#: Instances that one transaction has a deleted module removed from.
BATCH = 25
#: Instances that one workflow is told of.
_LISTED = 500
#: Why one of many instances is passed over.
_CANNOT = (errors.GuestNotFound, errors.GuestTooOld, submitting.QueueFull)


def spec(module: Module) -> command.ModuleSpec:
    """Return a module as a guest is told of it."""
    return command.ModuleSpec(id=module.id, type=module.type, name=module.name, contents=module.text)


def apply(work: Work, instance: Instance, wanted: Sequence[Module]) -> str:
    """Have modules, whose rows are locked, applied to an instance in this order; return the id of the workflow.

    :raises QueueFull: and what else :func:`trove.operations.submitting.edit` raises.
    """
    instance_module.begin(work.session, instance.id, wanted, work.now())
    change = command.ApplyModules(modules=[spec(item) for item in wanted])
    module_ids = [item.id for item in wanted]
    return submitting.edit(work, operations.MODULE_APPLY, instance, change, modules=module_ids)


def remove(work: Work, instance: Instance, change: command.RemoveModule) -> str:
    """Have a module removed from an instance; return the id of the workflow.

    :raises QueueFull: and what else :func:`trove.operations.submitting.edit` raises.
    """
    return submitting.edit(work, operations.MODULE_REMOVE, instance, change, modules=[change.id])


def withdraw(work: Work, change: command.RemoveModule, instance_ids: Sequence[str]) -> None:
    """Have a module that was deleted removed from the instances that had it, as far as their databases can take that
    now: from :data:`BATCH` of them in this transaction, and from the others by workflows."""
    for row in instance_listing.list_of(work.session, instance_ids[:BATCH]):
        if readiness.is_usable(work.conf, row):
            with contextlib.suppress(*_CANNOT):
                remove(work, Instance.get(work.session, Scope.ALL, row.id), change)
    resource = submitting.Resource("module", change.id, str(work.caller.project_id))
    for begin in range(BATCH, len(instance_ids), _LISTED):
        rest = {"module_id": change.id, "type": change.type, "instances": list(instance_ids[begin : begin + _LISTED])}
        submitting.submit_for(work, operations.MODULE_WITHDRAW, resource, rest)


def apply_again(work: Work, module_id: str, instance_ids: Sequence[str]) -> None:
    """Have a module applied again to instances that have it, if it still exists; of one whose guest cannot take a
    command now, that is noted."""
    try:
        module = Module.get(work.session, Scope.ALL, module_id, for_update=True)
    except errors.ModuleNotFound:
        return
    for instance in instance_module.holders(work.session, module.id, instance_ids):
        try:
            apply(work, instance, [module])
        except _CANNOT as err:
            instance_module.failed(work.session, instance.id, [module.id], err.message, work.now())
