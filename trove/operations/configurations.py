# SPDX-License-Identifier: Apache-2.0
"""How instances come to run with the present values of their configuration group.

An instance that is idle takes them over at once, by a workflow of its own. A busy one gets a workflow that waits behind
what is under way; as that one reads the values only then, one of them is enough for any number of changes.

A group may have any number of instances, so no transaction sees to all of them: each sees to :data:`BATCH` and leaves
the others to a workflow that goes on from there.
"""

from collections.abc import Mapping
from typing import Any

from trove.common import exception
from trove.domain import instance_states, operations
from trove.objects import errors
from trove.objects.configuration import Configuration
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import ending, submitting
from trove.operations.work import Work

#: Instances of a group that one transaction sees to.
BATCH = 25


def push(work: Work, group: Configuration, after: str = "") -> None:
    """Let the instances of a group, whose row is locked, take its new values over: now, or when they are idle again.

    :param after: only those whose id is above this one.
    """
    found = group.instances(work.session, after=after, limit=BATCH + 1)
    for instance in found[:BATCH]:
        refresh(work, instance)
    if len(found) > BATCH:
        resource = submitting.Resource("configuration", group.id, group.project_id)
        rest = {"after": found[BATCH - 1].id, "revision": group.revision}
        submitting.submit_for(work, operations.CONFIGURATION_PUSH, resource, rest)


def push_rest(work: Work, configuration_id: str, rest: Mapping[str, Any]) -> None:
    """Go on with a :func:`push`; ``rest`` are the inputs of its workflow. One that a later change of the group has
    overtaken ends, because that one sees to every instance again."""
    try:
        group = Configuration.get(work.session, Scope.ALL, configuration_id, for_update=True)
    except errors.ConfigurationNotFound:
        return
    if group.revision == rest["revision"]:
        push(work, group, rest["after"])


def refresh(work: Work, instance: Instance) -> None:
    """Let one instance take the values of its group over: now, or when it is idle again."""
    active = ending.active(work, instance)
    kind = operations.INSTANCE_CONFIGURE
    if active is None:
        # One that failed has no engine to configure.
        if instance_states.MACHINE.allows(instance.status, "update"):
            was = instance.status
            instance.process_event(work.session, "update")
            _submit(work, instance, {"was": was}, None)
    elif all(item.kind != kind.name for item in work.store.successors(work.session, active.id, lock=True)):
        _submit(work, instance, {}, active.id)


def _submit(work: Work, instance: Instance, inputs: Mapping[str, Any], after: str | None) -> None:
    try:
        submitting.submit(work, operations.INSTANCE_CONFIGURE, instance, inputs, after=after)
    except submitting.InstanceBusy as err:
        # What was looked at has changed since; nothing is refused for that, the transaction is repeated.
        raise exception.StaleObject(err.message) from err
