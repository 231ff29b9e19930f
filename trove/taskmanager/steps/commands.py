# SPDX-License-Identifier: Apache-2.0
"""What steps do with commands to a member's guest: submit them, await them, take them back.

A command's id comes from the step's token, so a repeated step submits the same command again, which changes nothing;
only a command that is final gets a successor, because the guest would answer the same id with the recorded result. The
row is written in the checkpoint's transaction; only then is the conductor told.
"""

import itertools
import uuid
from collections.abc import Callable

from sqlalchemy.orm import Session

from trove.domain import command_fate, operations
from trove.objects import errors, guest_command
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import REVOKED, GuestIdentity
from trove.objects.instance import Instance
from trove.taskmanager.members import Member
from trove.taskmanager.steps import forgetting
from trove.wire import command
from trove.workflow.model import AwaitSignal, Done, Failed, ParkUntil, Result, StepContext

#: Seconds until whoever waits for a command looks itself what has become of it.
LOOK = 30.0
#: Seconds that a signal may come later than its command expires: a conductor has to be there to say so.
MARGIN = 30.0

#: The answer of a step that has nobody to ask.
NO_GUEST = Failed("guest.not_found", "The instance has no guest agent; delete it and make a new one.")
#: The answer of a step whose command may have been carried out.
UNKNOWN = Failed(
    command_fate.UNKNOWN_SYMBOL,
    "The guest is silent and has not said what has become of this; it may have been done. That is shown when the guest "
    "is back.",
)

#: Builds a command, or says that there is nothing to do.
MakeCommand = Callable[[StepContext, Instance], command.Command | None]
#: Makes a command in the transaction that submits it, and writes what belongs to it; called once for each command.
MakeInTransaction = Callable[[Session], command.Command]


def outcome(ctx: StepContext, what: str) -> Result:
    """Turn the signal of a finished command into a step's answer; what the guest said of a success is the output."""
    assert ctx.signal is not None
    payload = ctx.signal.payload
    if payload.get("state") == "DONE":
        return Done(payload.get("result"))
    symbol = payload.get("error_symbol") or "guest.failed"
    message = payload.get("error_message") or f"The guest could not {what}."
    return Failed(symbol, message, payload.get("log_tail"))


def look(ctx: StepContext, command_id: str, what: str) -> Result:
    """Answer with what is known of a command whose signal has not come: wait on while it may end by itself, and for as
    long as it takes when nobody knows its outcome."""
    signal = operations.command_signal(command_id)
    with ctx.env.db.reader() as session:
        try:
            row = guest_command.get(session, command_id)
        except errors.CommandNotFound:
            return forgetting.GONE
    if row.state == guest_command.UNKNOWN:
        return ParkUntil(signal, UNKNOWN)
    if row.state == guest_command.DONE:
        return Done(row.result)
    if row.state in guest_command.FINAL and ctx.timed_out:  # else the signal is there, with a sentence for the user
        return Failed(row.error_symbol or command.EXPIRED_SYMBOL, f"The guest could not {what}.", row.error_detail)
    return AwaitSignal(signal, LOOK)


def submit(
    member: Member,
    made: command.Command | MakeInTransaction,
    purpose: str,
    timeout: float,
    patience: float | None = None,
) -> AwaitSignal | Done | None:
    """Have ``made`` submitted at the checkpoint and await its result, unless it was submitted before; ``None`` when
    there is no guest to ask.

    :param timeout: seconds until the guest is to begin.
    :param patience: seconds until the step runs again to look itself; ``None``: a while after ``timeout``.
    """
    patience = timeout + MARGIN if patience is None else patience
    ctx, env = member.ctx, member.ctx.env
    with env.db.reader() as session:
        if not _has_guest(session, member.id):
            return None
        command_id, known = latest(session, ctx.token, purpose)
    if known is not None:
        return wait_for(member, known, patience)

    def write(session: Session) -> None:
        if isinstance(made, command.Command):
            order = made
        elif guest_command.exists(session, command_id):
            return
        else:
            order = made(session)
        write_command(member, session, ctx.step, command_id, order, timeout)

    ctx.at_checkpoint(write)
    ctx.after_checkpoint(lambda: env.conductor.deliver(member.id))
    return AwaitSignal(operations.command_signal(command_id), patience)


def wait_for(member: Member, known: GuestCommand, patience: float) -> AwaitSignal | Done:
    """Await the result of a command that was submitted, unless it is done."""
    if known.state == guest_command.DONE:
        return Done(known.result)
    member.ctx.after_checkpoint(lambda: member.ctx.env.conductor.deliver(member.id))
    return AwaitSignal(operations.command_signal(known.id), patience)


def _has_guest(session: Session, instance_id: str) -> bool:
    try:
        return bool(GuestIdentity.get(session, instance_id, for_update=False).state != REVOKED)
    except errors.GuestNotFound:
        return False


def write_command(
    member: Member, session: Session, step: str, command_id: str, order: command.Command, timeout: float
) -> None:
    """Write the command of a step into the member's queue.

    :param timeout: seconds until the guest is to begin.
    """
    ctx = member.ctx
    guest_command.submit(
        session,
        instance_id=member.id,
        command=order,
        deadline_seconds=timeout,
        now=ctx.env.db.now(session),
        id=command_id,
        workflow_id=ctx.workflow_id,
        step=step,
        epoch=ctx.epoch,
    )


def command_id_of(token: str, purpose: str, number: int) -> str:
    """Return the id of the command that a step submits for ``purpose`` after ``number`` others that are final."""
    return str(uuid.uuid5(uuid.UUID(token), f"{purpose}-{number}"))


def latest(session: Session, token: str, purpose: str) -> tuple[str, GuestCommand | None]:
    """Return id and row of the step's command that is under way or done; or the id of the one that comes next.

    Nobody else makes these ids, and the checkpoint holds only while this worker owns the workflow, so what is read here
    still holds there.
    """
    for number in itertools.count():
        command_id = command_id_of(token, purpose, number)
        try:
            known = guest_command.get(session, command_id)
        except errors.CommandNotFound:
            return command_id, None
        if known.state not in guest_command.FINAL or known.state == guest_command.DONE:
            return command_id, known
    raise AssertionError("unreachable")


def withdraw(member: Member) -> None:
    """Have the step's command taken back, if no guest can know of it."""
    with member.ctx.env.db.reader() as session:
        command_id, known = latest(session, member.ctx.token, "run")
    if known is not None and known.state == guest_command.PENDING:
        take_back(member, command_id)


def take_back(member: Member, command_id: str) -> None:
    """Have a command taken back at the checkpoint, if no guest can know of it then."""
    ctx = member.ctx
    _unsent(member, lambda session: guest_command.withdraw(session, command_id, ctx.env.db.now(session)))


def call_off(member: Member) -> None:
    """Have the guest not begin any more what this workflow has asked for, as far as it has not accepted that."""
    ctx = member.ctx
    _unsent(member, lambda session: guest_command.call_off(session, ctx.workflow_id, ctx.env.db.now(session)))


def _unsent(member: Member, write: Callable[[Session], object]) -> None:
    """Have ``write`` called at the checkpoint while nothing can be sent to the guest; without a guest, not at all."""

    def held(session: Session) -> None:
        try:
            GuestIdentity.hold(session, member.id)
        except errors.GuestNotFound:
            return
        write(session)

    member.ctx.at_checkpoint(held)
