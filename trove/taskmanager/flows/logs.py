# SPDX-License-Identifier: Apache-2.0
"""A request on one log of an instance: switch it, remove what was published, publish what is pending; whatever of
these was asked for, in this order.

Inputs: ``log``, ``enabled`` (``None``: leave it), ``discard``, ``publish``, ``manager``, the name of the datastore's
plugin, and ``ticket_id`` for a publication. A failure leaves no fault: the instance is as healthy as before, and the
operation and the answer to the request say why.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.objects import guest_log
from trove.taskmanager.steps import guest, logs
from trove.workflow.model import Flow, StepContext


def _ended(ctx: StepContext, session: Session) -> None:
    if ctx.inputs.get("ticket_id"):
        guest_log.close(session, ctx.resource_id, ctx.inputs["log"], ctx.inputs["ticket_id"])


_STEPS = (
    guest.GuestStep("switch-log", logs.make_set_log, "switch the log", timeout=guest.EDIT_TIMEOUT),
    logs.RemovePublished(),
    logs.Publish(),
)

FLOWS = tuple(
    Flow(
        kind=kind.name,
        version=kind.version,
        steps=_STEPS,
        on_success=_ended,
        on_reverted=_ended,
        on_parked=_ended,
        timeout=kind.timeout,
    )
    for kind in (operations.LOG_CHANGE, operations.LOG_PUBLISH)
)
