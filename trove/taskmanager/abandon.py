# SPDX-License-Identifier: Apache-2.0
"""End a workflow by force, as an operator may."""

import threading

from sqlalchemy.orm import Session

from trove.taskmanager import flows
from trove.workflow.model import Failed, StepContext
from trove.workflow.registry import Registry
from trove.workflow.store import Store


def abandon(session: Session, store: Store, workflow_id: str, error: Failed) -> bool:
    """End a workflow as it stands, without undoing anything outside, and let its end count as a failure in our rows.

    Its instance leaves the state that the workflow owned, quota that the request took is given back, and its secrets
    are erased. What the workflow made outside stays until the instance is deleted, which finds it by tag.

    :returns: ``False`` when it has ended already.
    :raises OperationNotFound: when there is no such workflow.
    """
    row = store.describe(session, workflow_id)
    if not store.abandon(session, workflow_id, error.symbol, error.detail):
        return False
    try:
        flow = flows.register_all(Registry()).get(row["kind"], row["kind_version"])
    except KeyError:  # of another release: nobody here knows what it has promised
        return True
    same = ("kind", "resource_type", "resource_id", "project_id", "request_id", "inputs", "epoch")
    ctx = StepContext(
        env=None,
        workflow_id=workflow_id,
        step="",
        attempt=0,
        token="",
        outputs={},
        cancel=threading.Event(),
        error=error,
        **{name: row[name] for name in same},
    )
    flow.on_reverted(ctx, session)
    return True
