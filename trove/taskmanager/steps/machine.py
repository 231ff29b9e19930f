# SPDX-License-Identifier: Apache-2.0
"""Steps around a restart of the whole machine: the engine is stopped while its guest can still be asked, and started
again by the guest that comes back.

A stopped engine stays stopped when its agent restarts, so nothing starts it behind the flow's back.
"""

from trove.providers import base
from trove.taskmanager.members import MemberStep
from trove.taskmanager.steps import commands, guest, outside
from trove.wire import command
from trove.workflow.model import Done, Failed, Result, Sleep, StepContext

#: Seconds a running engine has to stop cleanly before its machine goes down with it.
STOP_TIMEOUT = 60.0


class StopEngine(MemberStep):
    """Have the engine stop cleanly. A guest that does not answer is no obstacle: it may be why the machine is to be
    restarted. One that was known not to report when that was asked for (``inputs['agent_silent']``) is not asked.

    :param machine: name of the step that restarts the machine; when it has not come to pass, undo starts the engine.
    """

    name = "stop-engine"

    def __init__(self, machine: str) -> None:
        self._machine = machine

    def run(self, ctx: StepContext) -> Result:
        if ctx.signal is not None or ctx.inputs.get("agent_silent"):
            return Done()
        if ctx.timed_out:
            commands.call_off(self.member(ctx))
            return Done()
        return commands.submit(self.member(ctx), command.StopEngine(), "run", STOP_TIMEOUT, STOP_TIMEOUT) or Done()

    def undo(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        asked = ctx.signal is not None or ctx.timed_out
        if asked or self._machine in ctx.outputs or member.being_deleted:
            return Done()
        return commands.submit(member, command.StartEngine(), "undo", guest.EDIT_TIMEOUT) or Done()


class RebootServer(MemberStep):
    """Restart the machine and wait until it runs. A repeated step may restart it twice."""

    name = "reboot-server"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        try:
            provider = member.provider
            server = provider.restart_server(member.tag("server"))
        except base.ProviderError as err:
            return outside.refused(ctx, err, "restart of the server")
        return _outcome(provider, server, "The server could not be restarted; ask the operator.")

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class MigrateServer(MemberStep):
    """Move the machine to the host in ``inputs["host"]``, or to one that the provider chooses."""

    name = "migrate-server"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        try:
            provider = member.provider
            server = provider.migrate_server(member.tag("server"), ctx.inputs["host"])
        except base.ProviderError as err:
            return outside.refused(ctx, err, "other host")
        return _outcome(provider, server, "The server could not be moved; it stays where it is.")

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _outcome(provider: base.Provider, server: base.Server, failure: str) -> Result:
    if server.status is base.Status.FAILED:
        return Failed("provider.server", failure, server.detail)
    ready = server.status is base.Status.READY
    return Done({"server_id": server.id}) if ready else Sleep(provider.poll_interval)
