# SPDX-License-Identifier: Apache-2.0
"""Erasing what is known of a guest that is gone, and ending what waits for it."""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.objects import guest, guest_command
from trove.taskmanager.members import Member
from trove.workflow.model import Done, Failed, Sleep
from trove.workflow.store import Store

#: The answer of a step whose command was erased with its guest.
GONE = Failed("guest.removed", "The instance was deleted before the guest said that this was done.")


def forget(member: Member) -> Sleep | Done:
    """Erase the guest and its commands, so many at each checkpoint, and tell the workflows that wait for them that
    nothing will come."""
    ctx = member.ctx
    store = Store(ctx.env.db)
    payload = {"state": guest_command.FAILED, "error_symbol": GONE.symbol, "error_message": GONE.message}
    with ctx.env.db.reader() as session:
        many = guest.is_left(session, member.id)

    def write(session: Session) -> None:
        def tell(workflow_id: str, command_id: str) -> None:
            if workflow_id != ctx.workflow_id:
                store.signal(session, workflow_id, operations.command_signal(command_id), payload)

        while not guest.forget(session, member.id, tell) and not many:
            pass  # a few have come since we looked

    ctx.at_checkpoint(write)
    return Sleep(0.0) if many else Done()
