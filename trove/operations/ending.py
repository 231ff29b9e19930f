# SPDX-License-Identifier: Apache-2.0
"""What the end of an operation gives back, whoever ends it.

A workflow ends in the taskmanager, by success or undone; or by force, as it stands, because something takes its place
or an operator says so. In each case the quota, the secrets, the modules of an unfinished instance and the notifications
of what was accepted are seen to here, in the transaction that ends it. How its instance moves is left to others.
"""

from trove.domain import operations
from trove.objects import instance_module, secret
from trove.objects.instance import Instance
from trove.operations import notifications, quotas
from trove.operations.accepted import Accepted
from trove.operations.work import Work
from trove.workflow.listing import Operation
from trove.workflow.model import Failed

#: Symbol of an operation that ended because another one has taken its place.
SUPERSEDED = "workflow.superseded"


def active(work: Work, instance: Instance) -> Operation | None:
    """Return the workflow that holds the claim of an instance."""
    return work.store.active(work.session, operations.instance_claim(instance.id))


def superseded(detail: str, by: str = "A later request") -> Failed:
    """Return the end of an operation whose place another one takes.

    :param detail: for the operator.
    :param by: the other one, as the user is told.
    """
    return Failed(SUPERSEDED, f"{by} has taken the place of this one.", detail)


def abandon(work: Work, workflow_id: str, error: Failed, *, cause: Failed | None = None) -> bool:
    """End a workflow at once, without undoing anything outside; what it made there is found by its tag when the
    instance is deleted.

    :param cause: why it came to nothing, for notifications, when that is not ``error``.
    :returns: ``False`` when it has ended already.
    :raises OperationNotFound: when there is no such workflow.
    """
    row = work.store.describe(work.session, workflow_id)
    if not work.store.abandon(work.session, workflow_id, error.symbol, error.detail, error.message):
        return False
    fail(work, Accepted.of_row(row), cause or error)
    return True


def cancel(work: Work, workflow_id: str) -> bool:
    """Ask a workflow to undo what it did, and end; past its pivot it goes on regardless. Return whether it is active
    and was not asked before."""
    work.wakes.append(workflow_id)
    return bool(work.store.request_cancel(work.session, workflow_id))


def supersede(work: Work, workflow_id: str) -> None:
    """End a workflow that waits or is parked, because what was asked for later takes its place."""
    abandon(work, workflow_id, superseded("a later request has taken its place"))


def fail(work: Work, accepted: Accepted, error: Failed) -> None:
    """Give back what an operation took that came to nothing, forget its secrets, and notify."""
    quotas.give_back(work.session, accepted)
    if accepted.kind == operations.INSTANCE_CREATE.name:
        secret.delete_for(work.session, accepted.resource_id, purpose="users")
        left = instance_module.pending(work.session, accepted.resource_id)
        why = "The creation of the instance was given up before; apply the module again."
        instance_module.failed(work.session, accepted.resource_id, left, why, work.now())
    notifications.fail(work, accepted, error)


def succeed(work: Work, accepted: Accepted) -> None:
    """Give back what an operation has freed, forget its secrets, and notify."""
    quotas.free(work.session, accepted)
    if accepted.kind == operations.INSTANCE_CREATE.name:
        secret.delete_for(work.session, accepted.resource_id, purpose="users")
    notifications.succeed(work, accepted)
