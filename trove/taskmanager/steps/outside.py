# SPDX-License-Identifier: Apache-2.0
"""Steps that make and remove the outside things below a server: address and data volume; and what all such steps
share."""

import logging
from collections.abc import Mapping
from typing import Any

from trove.common.backoff import EXACT, Backoff
from trove.datastores.spi import Plugin
from trove.domain import access
from trove.objects import catalog
from trove.objectstore.base import ObjectStore
from trove.objectstore.guarded import GuardedStore
from trove.providers import base
from trove.taskmanager.environment import Environment
from trove.taskmanager.members import Member, MemberStep
from trove.workflow.model import Done, Failed, Result, Retry, Sleep, StepContext

LOG = logging.getLogger(__name__)

#: Longest time in seconds between two looks at something that is being removed: what takes minutes need not be asked
#: about all the time.
LONGEST_REMOVAL_POLL = 5.0
#: Waits between attempts of a call that failed by something passing; the engine adds the jitter.
RETRIES = Backoff(first=2.0, cap=60.0, jitter=EXACT)
#: Seconds until a workflow that this taskmanager cannot go on with is looked at again, by whoever comes first.
HAND_ON = 1.0

_PERMANENT = (base.FatalError, base.ConflictError, base.QuotaError, base.NotFoundError)

_REMEDY = {
    "provider.quota": "The cloud has no room for this at the moment; try a smaller size, or ask the operator.",
    "provider.not_found": "Something the datastore version or request refers to does not exist; ask the operator.",
}


def refused(ctx: StepContext, err: base.ProviderError, what: str) -> Result:
    """Turn a provider's error into a step's answer: passing ones are retried, permanent ones fail the step."""
    if isinstance(err, _PERMANENT):
        remedy = _REMEDY.get(err.symbol, "Delete the instance and try again, or ask the operator.")
        return Failed(err.symbol, f"The {what} could not be provided. {remedy}", f"{type(err).__name__}: {err}")
    return later(ctx, err, what)


def later(ctx: StepContext, err: base.ProviderError, what: str) -> Retry | Sleep:
    """Try again, whatever the error: for what must be done in the end, like a removal.

    The waits grow, so that the attempts of a flow span an outage of minutes and not only of seconds. What is not this
    process's to do is no attempt: the workflow is left to the others, one of which can.
    """
    if isinstance(err, base.NotMineError):
        LOG.info("Workflow %s is left to another taskmanager: %s", ctx.workflow_id, err)
        return Sleep(HAND_ON)
    return Retry(RETRIES.delay(ctx.attempt), f"{what}: {type(err).__name__}: {err}")


def objects(ctx: StepContext) -> ObjectStore | None:
    """Return the object store, which changes nothing once the lease of the workflow has ended, or ``None`` where there
    is none."""
    store: ObjectStore | None = ctx.env.objects
    return None if store is None else GuardedStore(store, ctx.cancel)


def removal_pause(waited: float, shortest: float) -> float:
    """Return the seconds until the next look at something that has been on its way out for ``waited`` seconds: about a
    quarter of that, so that nobody learns of the end much later than it came.

    :param shortest: what the provider says of the pace, in seconds.
    """
    return max(shortest, min(LONGEST_REMOVAL_POLL, waited / 4))


def freed(member: Member, err: base.ConflictError, what: str) -> Result:
    """Remove the server that keeps something from being removed, and come back soon.

    The steps before have removed it, but a call that was thought lost may have made it again. Nobody else's server has
    this tag. When there is no such server, something else is in the way, which takes its time.
    """
    ctx, provider, server = member.ctx, member.provider, member.tag("server")
    try:
        if provider.find_server(server) is None:
            return later(ctx, err, what)
        LOG.warning("the %s of instance %s is in use by its server, which came late", what, member.id)
        pause = provider.poll_interval
        return Retry(pause, f"{what}: {err}") if provider.remove_server(server) else Sleep(pause)
    except base.ProviderError as failed:
        return later(ctx, failed, what)


class EnsurePort(MemberStep):
    """Give the instance an address."""

    name = "ensure-port"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        try:
            provider = member.provider  # first of all: elsewhere there may be other plugins
            plugin, manager = _plugin(member)
            if plugin is None:
                return Failed(
                    "datastore.not_installed",
                    "The datastore is not installed where instances are made; ask the operator.",
                    f"this taskmanager has no datastore plugin '{manager}'; install it and restart the taskmanager",
                )
            nic = ctx.inputs.get("nic") or {}
            port = provider.ensure_port(base.PortSpec(member.tag("port"), plugin.port, **nic))
        except base.ProviderError as err:
            return refused(ctx, err, "network address")
        member.publish(addresses=_addresses(port), port=port.port)
        return Done({"address": port.address, "port": port.port})

    def undo(self, ctx: StepContext) -> Result:
        return _remove_port(self.member(ctx))


def _plugin(member: Member) -> tuple[Plugin | None, str]:
    """Return the plugin of the member's datastore, where there is one, and its name."""
    env: Environment = member.ctx.env
    with env.db.reader() as session:
        manager = catalog.DatastoreVersion.get(session, member.instance.datastore_version_id).manager
    return env.plugins.get(manager), manager


def _addresses(port: base.Port) -> list[dict[str, Any]]:
    private: dict[str, Any] = {"address": port.address, "type": "private"}
    if port.network:
        private["network"] = port.network
    public = [{"address": port.public_address, "type": "public"}] if port.public_address else []
    return [private, *public]


class SetAccess(MemberStep):
    """Let exactly those reach the instance that ``inputs[which]`` or its row says.

    :param which: member of the inputs; ``None``: what the instance's row has, and nothing to do when that is everybody.
    :param undo: member with what was before; ``None``: the removal of the address undoes it.
    """

    name = "set-access"

    def __init__(self, which: str | None = None, *, undo: str | None = None) -> None:
        self._which = which
        self._undo = undo

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        wanted = member.instance.access if self._which is None else ctx.inputs[self._which]
        if self._which is None and not wanted.get("is_public") and not access.restriction(wanted):
            return Done()
        try:
            port = self._set(member, wanted)
        except base.ProviderError as err:
            return refused(ctx, err, "access")
        member.publish(addresses=_addresses(port))
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        if self._undo is None or member.being_deleted:
            return Done()
        try:
            port = self._set(member, ctx.inputs[self._undo])
        except _PERMANENT as err:
            # It was refused, or the port is gone: then nothing was changed, and nothing can be changed back.
            LOG.warning("the access of instance %s was not put back: %s", member.id, err)
            return Done()
        except base.ProviderError as err:
            return later(ctx, err, "access")
        member.publish(addresses=_addresses(port))
        return Done()

    @staticmethod
    def _set(member: Member, wanted: Mapping[str, Any]) -> base.Port:
        reach = base.Access(bool(wanted.get("is_public")), access.restriction(wanted))
        return member.provider.set_access(member.tag("port"), reach)


class RemovePort(MemberStep):
    """Give the address back."""

    name = "remove-port"

    def run(self, ctx: StepContext) -> Result:
        return _remove_port(self.member(ctx))

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _remove_port(member: Member) -> Result:
    try:
        member.provider.remove_port(member.tag("port"))
    except base.ConflictError as err:
        return freed(member, err, "address")
    except base.ProviderError as err:
        return later(member.ctx, err, "address")
    member.publish(addresses=[], port=None)
    return Done()


class EnsureVolume(MemberStep):
    """Make the data volume, in the size the instance has."""

    name = "ensure-volume"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        spec = base.VolumeSpec(member.tag("volume"), member.instance.volume_gib, member.instance.volume_type)
        try:
            provider = member.provider
            volume = provider.ensure_volume(spec)
        except base.ProviderError as err:
            return refused(ctx, err, "data volume")
        if volume.status is base.Status.FAILED:
            return Failed(
                "provider.volume",
                "The data volume could not be made; delete the instance and try again.",
                volume.detail,
            )
        if volume.status is base.Status.PENDING:
            return Sleep(provider.poll_interval)
        member.publish(volume_id=volume.id)
        return Done({"volume_id": volume.id})

    def undo(self, ctx: StepContext) -> Result:
        return _remove_volume(self.member(ctx))


class RemoveVolume(MemberStep):
    """Remove the data volume and what is on it."""

    name = "remove-volume"

    def run(self, ctx: StepContext) -> Result:
        return _remove_volume(self.member(ctx))

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _remove_volume(member: Member) -> Result:
    try:
        member.provider.remove_volume(member.tag("volume"))
    except base.ConflictError as err:
        return freed(member, err, "volume")
    except base.ProviderError as err:
        return later(member.ctx, err, "volume")
    member.publish(volume_id=None)
    return Done()


class GrowVolume(MemberStep):
    """Grow the data volume to ``inputs['size_gib']``.

    A volume never shrinks. When the flow is given up although the volume has grown (the reply was lost, or the cancel
    came too late), undo writes the new size down, so that accounting and reality agree.
    """

    name = "grow-volume"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        spec = base.VolumeSpec(member.tag("volume"), ctx.inputs["size_gib"], member.instance.volume_type)
        try:
            provider = member.provider
            if provider.find_volume(spec.tag) is None:  # ensure_volume() would make an empty one
                raise base.NotFoundError(f"there is no volume {spec.tag}")
            volume = provider.ensure_volume(spec)
        except base.ProviderError as err:
            return refused(ctx, err, "larger data volume")
        if volume.status is base.Status.FAILED:
            return Failed("provider.volume", "The data volume could not be grown; it keeps its size.", volume.detail)
        return Done() if volume.status is base.Status.READY else Sleep(provider.poll_interval)

    def undo(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        try:
            volume = member.provider.find_volume(member.tag("volume"))
        except base.ProviderError as err:
            return later(ctx, err, "volume")
        size = ctx.inputs["size_gib"]
        if volume is not None and volume.status is not base.Status.FAILED and volume.size_gib >= size:
            member.publish(volume_gib=size)
        return Done()
