# SPDX-License-Identifier: Apache-2.0
"""Steps that ask the guest for something and wait for its answer, holding no thread meanwhile.

A command's id comes from the step's token, so a repeated step submits the same command again, which changes nothing;
only a command that is final gets a successor, because the guest would answer the same id with the recorded result. The
row is written in the checkpoint's transaction; only then is the conductor told.
"""

import itertools
import logging
import uuid
from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from trove.common import ids
from trove.domain import command_fate, instance_states, operations
from trove.guestbus import reach
from trove.objects import configuration, errors, guest_command, heartbeat, secret
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.taskmanager.environment import Environment
from trove.taskmanager.steps import forgetting, outside, server
from trove.wire import command
from trove.workflow.model import AwaitSignal, Done, Failed, ParkUntil, Result, Retry, StepContext
from trove.workflow.records import step_token

LOG = logging.getLogger(__name__)

#: Seconds a guest has to start, find us and enrol.
ENROL_TIMEOUT = 600.0
#: Seconds of silence after which an operator is told, see :class:`AwaitGuest`.
QUIET = 60.0
#: Seconds an engine has to initialise, start or recover.
ENGINE_TIMEOUT = 900.0
#: Seconds for a change inside a running engine.
EDIT_TIMEOUT = 240.0
#: Seconds until whoever waits for a command looks itself what has become of it.
LOOK = 30.0
#: Seconds that a signal may come later than its command expires: a conductor has to be there to say so.
_MARGIN = 30.0
#: Seconds an engine has to stop before its server is removed anyway.
STOP_TIMEOUT = 15.0

#: Symbol of a guest whose engine refused a value; everything is as before then.
CONFIGURATION_REFUSED = "configuration.refused"

#: The answer of a step that has nobody to ask.
NO_GUEST = Failed("guest.not_found", "The instance has no guest agent; delete it and make a new one.")

MakeCommand = Callable[[StepContext, Instance], command.Command | None]
#: Makes a command in the transaction that submits it, and writes what belongs to it; called once for each command.
MakeInTransaction = Callable[[Session], command.Command]


#: The answer of a step whose command may have been carried out.
UNKNOWN = Failed(
    command_fate.UNKNOWN_SYMBOL,
    "The guest is silent and has not said what has become of this; it may have been done. That is shown when the guest "
    "is back.",
)


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
    ctx: StepContext,
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
    patience = timeout + _MARGIN if patience is None else patience
    env: Environment = ctx.env
    with env.db.reader() as session:
        if not _has_guest(session, ctx.resource_id):
            return None
        command_id, known = _latest(session, ctx.token, purpose)
    if known is not None:
        return _await(ctx, known, patience)

    def write(session: Session) -> None:
        if isinstance(made, command.Command):
            order = made
        elif guest_command.exists(session, command_id):
            return
        else:
            order = made(session)
        _write(ctx, session, ctx.step, command_id, order, timeout)

    ctx.at_checkpoint(write)
    ctx.after_checkpoint(lambda: env.conductor.deliver(ctx.resource_id))
    return AwaitSignal(operations.command_signal(command_id), patience)


def _await(ctx: StepContext, known: GuestCommand, patience: float) -> AwaitSignal | Done:
    """Await the result of a command that was submitted, unless it is done."""
    if known.state == guest_command.DONE:
        return Done(known.result)
    ctx.after_checkpoint(lambda: ctx.env.conductor.deliver(ctx.resource_id))
    return AwaitSignal(operations.command_signal(known.id), patience)


def _has_guest(session: Session, instance_id: str) -> bool:
    try:
        GuestIdentity.get(session, instance_id, for_update=False)
    except errors.GuestNotFound:
        return False
    return True


def _write(
    ctx: StepContext, session: Session, step: str, command_id: str, order: command.Command, timeout: float
) -> None:
    guest_command.submit(
        session,
        instance_id=ctx.resource_id,
        command=order,
        deadline_seconds=timeout,
        now=ctx.env.db.now(session),
        id=command_id,
        workflow_id=ctx.workflow_id,
        step=step,
        epoch=ctx.epoch,
    )


def _command_id(token: str, purpose: str, number: int) -> str:
    return str(uuid.uuid5(uuid.UUID(token), f"{purpose}-{number}"))


def _latest(session: Session, token: str, purpose: str) -> tuple[str, GuestCommand | None]:
    """Return id and row of the step's command that is under way or done; or the id of the one that comes next.

    Nobody else makes these ids, and the checkpoint holds only while this worker owns the workflow, so what is read here
    still holds there.
    """
    for number in itertools.count():
        command_id = _command_id(token, purpose, number)
        try:
            known = guest_command.get(session, command_id)
        except errors.CommandNotFound:
            return command_id, None
        if known.state not in guest_command.FINAL or known.state == guest_command.DONE:
            return command_id, known
    raise AssertionError("unreachable")


class AwaitGuest:
    """Wait until the agent has enrolled."""

    name = "await-guest"

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            return Done()
        if ctx.timed_out and ctx.attempt == 1:
            # Long before it is given up: an operator may mend what keeps the guest away, and it goes on.
            reason = f"nothing was heard of the guest for {QUIET:.0f} seconds; {self._told(ctx)}"
            LOG.warning("Instance %s: %s", ctx.resource_id, reason)
            return Retry(0.0, reason)
        if ctx.timed_out:
            return Failed(
                "guest.not_ready",
                "The guest agent did not report in time; delete the instance and try again, or ask the operator.",
                f"nothing was heard of the guest for {ENROL_TIMEOUT:.0f} seconds; {self._told(ctx)}",
            )
        return AwaitSignal(operations.GUEST_READY, QUIET if ctx.attempt == 1 else ENROL_TIMEOUT - QUIET)

    @staticmethod
    def _told(ctx: StepContext) -> str:
        """Return where the guest was told to dial and what is to be found there, for the operator."""
        env: Environment = ctx.env
        with env.db.reader() as session:
            transport = GuestIdentity.get(session, ctx.resource_id, for_update=False).transport
        if transport != "gateway":
            return "it was told to use the message broker of [guest_bus] transport_url or guest_transport_url"
        url = str(env.gateway_url or env.conf.guest_bus.gateway_url)
        found = reach.problem(url, env.conf.guest_bus.gateway_ca_file)
        return f"it was told to dial {url}, where {found or 'a gateway answers, so look into the log of its agent'}"

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class GuestStep:
    """Submit one command and wait for its result.

    :param make: builds the command, or returns ``None`` when there is nothing to do.
    :param what: ends the sentence "The guest could not …".
    :param patient: wait for as long as the guest is at it, or at what comes before it. Else ``timeout`` is the end,
        which is for what is removed then.
    :param reply: names and JSON types of what the guest says of a success and the step keeps as its output, as in
        :attr:`trove.domain.operations.Kind.inputs`; ``None``: nothing.
    :param unmake: builds the command that undoes it; ``None``: the removal of the server undoes it.
    """

    def __init__(
        self,
        name: str,
        make: MakeCommand,
        what: str,
        *,
        timeout: float,
        unmake: MakeCommand | None = None,
        reply: Mapping[str, str] | None = None,
        patient: bool = True,
    ) -> None:
        self.name = name
        self._patient = patient
        self._make = make
        self._what = what
        self._timeout = timeout
        # Of an outcome that is unknown there is no signal.
        self._patience = LOOK if patient else timeout + _MARGIN
        self._unmake = unmake
        self.reply = reply

    def run(self, ctx: StepContext) -> Result:
        answer = self._run(ctx)
        if not isinstance(answer, Done):
            return answer
        said = answer.output or {}
        return Done(None if self.reply is None else {name: said[name] for name in self.reply if name in said})

    def _run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            return outcome(ctx, self._what)
        with ctx.env.db.reader() as session:
            _, known = _latest(session, ctx.token, "run")
        if ctx.timed_out and known is not None and known.state == guest_command.UNKNOWN:
            return UNKNOWN
        if ctx.timed_out and (known is None or not self._patient):
            return Failed("guest.timeout", f"The guest did not {self._what} in time; try again, or ask the operator.")
        if known is not None:  # by an earlier attempt, or ahead: what it says need not be put together again
            return _await(ctx, known, self._patience)
        made = self._make(ctx, outside.load_instance(ctx))
        return Done() if made is None else submit(ctx, made, "run", self._timeout, self._patience) or NO_GUEST

    def write_ahead(self, ctx: StepContext, deadline: float) -> None:
        """Have the command written at the checkpoint of an earlier step, whose context this is.

        :param deadline: seconds from then until it counts as lost.
        """
        made = self._make(ctx, outside.load_instance(ctx))
        if made is None:
            return
        order, command_id = made, _command_id(step_token(ctx.workflow_id, self.name), "run", 0)
        ctx.at_checkpoint(lambda session: _write(ctx, session, self.name, command_id, order, deadline))

    def undo(self, ctx: StepContext) -> Result:
        # Whatever the answer was: the operating status shows what the engine does, and a second try would not help.
        _withdraw(ctx)
        if self._unmake is None or ctx.signal is not None or outside.being_deleted(ctx) or self._given_up(ctx):
            return Done()
        made = self._unmake(ctx, outside.load_instance(ctx))
        return Done() if made is None else submit(ctx, made, "undo", self._timeout) or Done()

    @staticmethod
    def _given_up(ctx: StepContext) -> bool:
        if not ctx.timed_out:
            return False
        with ctx.env.db.reader() as session:
            _, known = _latest(session, ctx.token, "undo")
        return known is None or known.state == guest_command.UNKNOWN


def _withdraw(ctx: StepContext) -> None:
    """Have the step's command taken back, if no guest can know of it."""
    with ctx.env.db.reader() as session:
        command_id, known = _latest(session, ctx.token, "run")
    if known is not None and known.state == guest_command.PENDING:
        ctx.at_checkpoint(lambda session: _take_back(ctx, session, command_id))


def _take_back(ctx: StepContext, session: Session, command_id: str) -> None:
    try:
        GuestIdentity.hold(session, ctx.resource_id)
    except errors.GuestNotFound:
        return
    guest_command.withdraw(session, command_id, ctx.env.db.now(session))


def call_off(ctx: StepContext) -> None:
    """Have the guest not begin any more what this workflow has asked for, as far as it has not accepted that."""

    def write(session: Session) -> None:
        try:
            GuestIdentity.hold(session, ctx.resource_id)
        except errors.GuestNotFound:
            return
        guest_command.call_off(session, ctx.workflow_id, ctx.env.db.now(session))

    ctx.at_checkpoint(write)


class StopDatastore:
    """Give a reachable engine the chance to stop cleanly before its server goes; nothing here can fail a deletion."""

    name = "stop-datastore"

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None or ctx.timed_out or not self._reachable(ctx):
            return Done()
        return submit(ctx, command.StopEngine(), "run", STOP_TIMEOUT, STOP_TIMEOUT) or Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()

    @staticmethod
    def _reachable(ctx: StepContext) -> bool:
        env: Environment = ctx.env
        with env.db.reader() as session:
            beat = heartbeat.get(session, ctx.resource_id)
            now = env.db.now(session)
        if beat is None or beat.reported_at is None:
            return False
        fresh = (now - beat.reported_at).total_seconds() < 3 * env.conf.guest_bus.heartbeat_interval
        return fresh and beat.service_status in (
            instance_states.SERVICE_HEALTHY,
            instance_states.SERVICE_BLOCKED,
            instance_states.SERVICE_RESTARTING,
        )


class WriteAhead:
    """Write the commands of later steps, for a guest that is still to be made: it gets them in its first moment.

    :param steps: in the order in which their commands are to be carried out.
    :param deadline: seconds until they count as lost, from when they were written.
    """

    name = "write-commands"

    def __init__(self, *steps: GuestStep, deadline: float) -> None:
        self._steps = steps
        self._deadline = deadline

    def run(self, ctx: StepContext) -> Result:
        for step in self._steps:
            step.write_ahead(ctx, self._deadline)
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()  # they go with the identity of the guest


class AwaitEdit:
    """Wait for a command that the API wrote together with this workflow: a change inside the database."""

    name = "await-guest-edit"

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            answer = outcome(ctx, "make this change")
            return Done() if isinstance(answer, Done) else answer
        answer = look(ctx, ctx.inputs["command_id"], "make this change")
        return Done() if isinstance(answer, Done) else answer

    def undo(self, ctx: StepContext) -> Result:
        ctx.at_checkpoint(lambda session: _take_back(ctx, session, ctx.inputs["command_id"]))
        return Done()


class ForgetGuest:
    """Erase keys, commands, inventory and secrets of a guest that is gone."""

    name = "forget-guest"

    def run(self, ctx: StepContext) -> Result:
        ctx.at_checkpoint(lambda session: secret.delete_for(session, ctx.resource_id))
        return forgetting.forget(ctx)

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _shape_spec(vcpus: int, ram_mib: int, volume_gib: int) -> command.ShapeSpec:
    return command.ShapeSpec(vcpus=vcpus, ram_mib=ram_mib, volume_gib=volume_gib)


def make_prepare(ctx: StepContext, instance: Instance) -> command.Command:
    """Build the command that turns an empty volume into a running engine."""
    return command.Prepare(
        shape=_shape_spec(instance.vcpus, instance.ram_mib, instance.volume_gib),
        address=instance.addresses[0]["address"],
        port=instance.port,
        admin_password=ids.new_password(),
        configuration=_values(ctx, instance.configuration_id),
    )


def make_create_databases(ctx: StepContext, _instance: Instance) -> command.Command | None:
    """Build the command for the databases of a create request."""
    wanted = ctx.inputs.get("databases") or []
    if not wanted:
        return None
    return command.CreateDatabases(databases=[command.DatabaseSpec(**item) for item in wanted])


def make_create_users(ctx: StepContext, _instance: Instance) -> command.Command | None:
    """Build the command for the users of a create request, whose passwords are in a secret."""
    secret_id = ctx.inputs.get("users_secret")
    if not secret_id:
        return None
    with ctx.env.db.reader() as session:
        users = secret.get(session, secret_id)
    return command.CreateUsers(users=[command.UserSpec(**item) for item in users])


def make_start(_ctx: StepContext, _instance: Instance) -> command.Command:
    """Build the command that starts an engine that was stopped."""
    return command.StartEngine()


def make_configure(ctx: StepContext, instance: Instance) -> command.Command:
    """Build the command that makes the engine run with the present values of its configuration group: of the one that
    was asked for, or that it has."""
    return command.Configure(values=_values(ctx, ctx.inputs.get("configuration_id", instance.configuration_id)))


def make_unconfigure(ctx: StepContext, _instance: Instance) -> command.Command | None:
    """Build the command that puts the values of the group before back; ``None`` when it was the same group, or when
    the guest has put them back itself."""
    if "previous" not in ctx.inputs or (ctx.error is not None and ctx.error.symbol == CONFIGURATION_REFUSED):
        return None
    return command.Configure(values=_values(ctx, ctx.inputs["previous"]))


def _values(ctx: StepContext, configuration_id: str | None) -> dict[str, command.ConfigValue]:
    with ctx.env.db.reader() as session:
        return configuration.values_of(session, configuration_id)


def make_restart(_ctx: StepContext, _instance: Instance) -> command.Command:
    """Build the command that restarts the engine."""
    return command.Restart()


def make_reconfigure(which: str) -> MakeCommand:
    """Return a maker of the command that fits the engine to the shape in ``inputs[which]``."""

    def make(ctx: StepContext, instance: Instance) -> command.Command:
        shape = server.input_shape(ctx, which)
        return command.Reconfigure(shape=_shape_spec(shape.vcpus, shape.ram_mib, instance.volume_gib))

    return make


def make_grow_volume(ctx: StepContext, _instance: Instance) -> command.Command:
    """Build the command that lets the engine use a grown volume."""
    return command.GrowVolume(volume_gib=ctx.inputs["size_gib"])
