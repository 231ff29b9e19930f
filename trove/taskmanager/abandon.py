# SPDX-License-Identifier: Apache-2.0
"""End a workflow by force, as an operator may."""

import threading
from dataclasses import dataclass

from oslo_config import cfg

from trove.db.api import Database
from trove.operations import ending
from trove.operations.work import Work
from trove.taskmanager import flows
from trove.workflow.model import Failed, StepContext


@dataclass(frozen=True)
class Console:
    """What the hooks that end a flow may use of an environment: who ends it has no provider and no guests."""

    conf: cfg.ConfigOpts
    db: Database


def abandon(work: Work, workflow_id: str, error: Failed) -> bool:
    """End a workflow as it stands, without undoing anything outside, and let its end count as a failure in our rows.

    Its instance leaves the state that the workflow owned, and gets back what
    :func:`trove.operations.ending.abandon` says. What the workflow made outside stays until the instance is deleted,
    which finds it by tag.

    :returns: ``False`` when it has ended already.
    :raises OperationNotFound: when there is no such workflow.
    """
    row = work.store.describe(work.session, workflow_id)
    if not ending.abandon(work, workflow_id, error):
        return False
    flow = flows.find(row["kind"], row["kind_version"])
    if flow is None:  # of another release: nobody here knows how it moves its instance
        return True
    same = ("kind", "resource_type", "resource_id", "project_id", "request_id", "inputs", "epoch")
    ctx = StepContext(
        env=Console(work.conf, work.store.db),
        workflow_id=workflow_id,
        step="",
        attempt=0,
        token="",
        outputs={},
        cancel=threading.Event(),
        error=error,
        **{name: row[name] for name in same},
    )
    flow.on_reverted(ctx, work.session)
    return True
