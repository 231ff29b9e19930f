# SPDX-License-Identifier: Apache-2.0
"""Steps that ask the guest for something and wait for its answer, holding no thread meanwhile."""

import logging
from collections.abc import Mapping

from trove.domain import instance_states, operations
from trove.guestbus import reach
from trove.objects import guest_command, heartbeat, secret
from trove.objects.guest_identity import GuestIdentity
from trove.taskmanager.environment import Environment
from trove.taskmanager.members import Member, MemberStep
from trove.taskmanager.steps import commands, forgetting
from trove.taskmanager.steps.commands import MakeCommand
from trove.wire import command
from trove.workflow.model import AwaitSignal, Done, Failed, Result, Retry, StepContext
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
#: Seconds an engine has to stop before its server is removed anyway.
STOP_TIMEOUT = 15.0


class AwaitGuest(MemberStep):
    """Wait until the agent has enrolled."""

    name = "await-guest"

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            return Done()
        if ctx.timed_out and ctx.attempt == 1:
            # Long before it is given up: an operator may mend what keeps the guest away, and it goes on.
            reason = f"nothing was heard of the guest for {QUIET:.0f} seconds; {self._told(self.member(ctx))}"
            LOG.warning("Instance %s: %s", self.member(ctx).id, reason)
            return Retry(0.0, reason)
        if ctx.timed_out:
            return Failed(
                "guest.not_ready",
                "The guest agent did not report in time; delete the instance and try again, or ask the operator.",
                f"nothing was heard of the guest for {ENROL_TIMEOUT:.0f} seconds; {self._told(self.member(ctx))}",
            )
        return AwaitSignal(operations.GUEST_READY, QUIET if ctx.attempt == 1 else ENROL_TIMEOUT - QUIET)

    @staticmethod
    def _told(member: Member) -> str:
        """Return where the guest was told to dial and what is to be found there, for the operator."""
        env: Environment = member.ctx.env
        with env.db.reader() as session:
            transport = GuestIdentity.get(session, member.id, for_update=False).transport
        if transport != "gateway":
            return "it was told to use the message broker of [guest_bus] transport_url or guest_transport_url"
        url = str(env.gateway_url or env.conf.guest_bus.gateway_url)
        found = reach.problem(url, env.conf.guest_bus.gateway_ca_file)
        return f"it was told to dial {url}, where {found or 'a gateway answers, so look into the log of its agent'}"

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class GuestStep(MemberStep):
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
        self._patience = commands.LOOK if patient else timeout + commands.MARGIN
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
            return commands.outcome(ctx, self._what)
        member = self.member(ctx)
        with ctx.env.db.reader() as session:
            _, known = commands.latest(session, ctx.token, "run")
        if ctx.timed_out and known is not None and known.state == guest_command.UNKNOWN:
            return commands.UNKNOWN
        if ctx.timed_out and (known is None or not self._patient):
            return Failed("guest.timeout", f"The guest did not {self._what} in time; try again, or ask the operator.")
        if known is not None:  # by an earlier attempt, or ahead: what it says need not be put together again
            return commands.wait_for(member, known, self._patience)
        made = self._make(ctx, member.instance)
        if made is None:
            return Done()
        nobody = (
            Done() if member.being_deleted else commands.NO_GUEST
        )  # past the pivot, a failure would keep it waiting
        return commands.submit(member, made, "run", self._timeout, self._patience) or nobody

    def write_ahead(self, ctx: StepContext, deadline: float) -> None:
        """Have the command written at the checkpoint of an earlier step, whose context this is.

        :param deadline: seconds from then until it counts as lost.
        """
        member = self.member(ctx)
        made = self._make(ctx, member.instance)
        if made is None:
            return
        order, command_id = made, commands.command_id_of(step_token(ctx.workflow_id, self.name), "run", 0)
        ctx.at_checkpoint(
            lambda session: commands.write_command(member, session, self.name, command_id, order, deadline)
        )

    def undo(self, ctx: StepContext) -> Result:
        # Whatever the answer was: the operating status shows what the engine does, and a second try would not help.
        member = self.member(ctx)
        commands.withdraw(member)
        if self._unmake is None or ctx.signal is not None or member.being_deleted or self._given_up(ctx):
            return Done()
        made = self._unmake(ctx, member.instance)
        return Done() if made is None else commands.submit(member, made, "undo", self._timeout) or Done()

    @staticmethod
    def _given_up(ctx: StepContext) -> bool:
        if not ctx.timed_out:
            return False
        with ctx.env.db.reader() as session:
            _, known = commands.latest(session, ctx.token, "undo")
        return known is None or known.state == guest_command.UNKNOWN


class StopDatastore(MemberStep):
    """Give a reachable engine the chance to stop cleanly before its server goes; nothing here can fail a deletion."""

    name = "stop-datastore"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        if ctx.signal is not None or ctx.timed_out or not self._reachable(member):
            return Done()
        return commands.submit(member, command.StopEngine(), "run", STOP_TIMEOUT, STOP_TIMEOUT) or Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()

    @staticmethod
    def _reachable(member: Member) -> bool:
        env: Environment = member.ctx.env
        with env.db.reader() as session:
            beat = heartbeat.get(session, member.id)
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


class AwaitEdit(MemberStep):
    """Wait for a command that the API wrote together with this workflow: a change inside the database."""

    name = "await-guest-edit"

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None:
            answer = commands.outcome(ctx, "make this change")
            return Done() if isinstance(answer, Done) else answer
        answer = commands.look(ctx, ctx.inputs["command_id"], "make this change")
        return Done() if isinstance(answer, Done) else answer

    def undo(self, ctx: StepContext) -> Result:
        commands.take_back(self.member(ctx), ctx.inputs["command_id"])
        return Done()


class ForgetGuest(MemberStep):
    """Erase keys, commands, inventory and secrets of a guest that is gone."""

    name = "forget-guest"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        ctx.at_checkpoint(lambda session: secret.delete_for(session, member.id))
        return forgetting.forget(member)

    def undo(self, ctx: StepContext) -> Result:
        return Done()
