# SPDX-License-Identifier: Apache-2.0
"""Steps that make and remove the outside things below a server: address and data volume; and what all such steps
share."""

import logging
from collections.abc import Mapping
from typing import Any

from trove.common import ids
from trove.domain import access, instance_states
from trove.objects import catalog
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.objectstore.base import ObjectStore
from trove.objectstore.guarded import GuardedStore
from trove.providers import base
from trove.providers.guarded import Guarded
from trove.taskmanager.environment import Environment
from trove.workflow.model import Done, Failed, Result, Retry, Sleep, StepContext

LOG = logging.getLogger(__name__)

#: Seconds between two looks at something the provider is still making.
POLL = 1.0
#: Shortest and longest time in seconds between two looks at something that is being removed: what is at hand is gone in
#: milliseconds, and what takes minutes need not be asked about ten times a second.
FIRST_REMOVAL_POLL = 0.1
LONGEST_REMOVAL_POLL = 5.0
#: Seconds before the second attempt of a call that failed by something passing; doubled each time up to the longest.
FIRST_RETRY = 2.0
LONGEST_RETRY = 60.0

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


def later(ctx: StepContext, err: base.ProviderError, what: str) -> Retry:
    """Try again, whatever the error: for what must be done in the end, like a removal.

    The waits grow, so that the attempts of a flow span an outage of minutes and not only of seconds.
    """
    wait = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(ctx.attempt - 1, 10))
    return Retry(wait, f"{what}: {type(err).__name__}: {err}")


def provider(ctx: StepContext) -> base.Provider:
    """Return the provider, which changes nothing once the lease of the workflow has ended."""
    return Guarded(ctx.env.provider, ctx.cancel)


def objects(ctx: StepContext) -> ObjectStore | None:
    """Return the object store, likewise, or ``None`` where there is none."""
    store: ObjectStore | None = ctx.env.objects
    return None if store is None else GuardedStore(store, ctx.cancel)


def removal_pause(waited: float) -> float:
    """Return the seconds until the next look at something that has been on its way out for ``waited`` seconds: about a
    quarter of that, so that nobody learns of the end much later than it came."""
    return min(LONGEST_REMOVAL_POLL, max(FIRST_REMOVAL_POLL, waited / 4))


def load_instance(ctx: StepContext) -> Instance:
    """Return the workflow's instance, deleted or not: read once per run of a step, and as :func:`publish` leaves it."""
    known: Instance | None = ctx.memo.get("instance")
    if known is None:
        with ctx.env.db.reader() as session:
            known = ctx.memo["instance"] = Instance.get(session, Scope.ALL, ctx.resource_id, include_deleted=True)
    return known


def being_deleted(ctx: StepContext) -> bool:
    """Tell whether a deletion was accepted: it removes everything, so undoing a change in place is a waste of time."""
    return bool(load_instance(ctx).status == instance_states.SHUTDOWN)


def publish(ctx: StepContext, **columns: Any) -> None:
    """Have ``columns`` of the instance written with the checkpoint; nobody else may write these."""
    if "columns" not in ctx.memo:
        ctx.memo["columns"] = {}
        ctx.at_checkpoint(lambda session: Instance.publish(session, ctx.resource_id, ctx.memo["columns"]))
    ctx.memo["columns"].update(columns)
    if "instance" in ctx.memo:
        ctx.memo["instance"].assign(columns)


def tag(ctx: StepContext, part: str) -> str:
    """Return the tag of ``part`` of the workflow's instance."""
    return ids.instance_tag(ctx.resource_id, part)


class EnsurePort:
    """Give the instance an address."""

    name = "ensure-port"

    def run(self, ctx: StepContext) -> Result:
        env: Environment = ctx.env
        instance = load_instance(ctx)
        with env.db.reader() as session:
            version = catalog.DatastoreVersion.get(session, instance.datastore_version_id)
        plugin = env.plugins.get(version.manager)
        if plugin is None:
            return Failed(
                "datastore.not_installed",
                "The datastore is not installed where instances are made; ask the operator.",
                f"this taskmanager has no datastore plugin '{version.manager}'; install it and restart the taskmanager",
            )
        try:
            nic = ctx.inputs.get("nic") or {}
            port = provider(ctx).ensure_port(base.PortSpec(tag(ctx, "port"), plugin.port, **nic))
        except base.ProviderError as err:
            return refused(ctx, err, "network address")
        publish(ctx, addresses=_addresses(port), port=port.port)
        return Done({"address": port.address, "port": port.port})

    def undo(self, ctx: StepContext) -> Result:
        return RemovePort().run(ctx)


def _addresses(port: base.Port) -> list[dict[str, Any]]:
    private: dict[str, Any] = {"address": port.address, "type": "private"}
    if port.network:
        private["network"] = port.network
    public = [{"address": port.public_address, "type": "public"}] if port.public_address else []
    return [private, *public]


class SetAccess:
    """Let exactly those reach the instance that ``inputs[which]`` or its row says.

    :param which: member of the inputs; ``None``: what the instance's row has, and nothing to do when that is everybody.
    :param undo: member with what was before; ``None``: the removal of the address undoes it.
    """

    name = "set-access"

    def __init__(self, which: str | None = None, *, undo: str | None = None) -> None:
        self._which = which
        self._undo = undo

    def run(self, ctx: StepContext) -> Result:
        wanted = load_instance(ctx).access if self._which is None else ctx.inputs[self._which]
        if self._which is None and not wanted.get("is_public") and not access.restriction(wanted):
            return Done()
        try:
            port = self._set(ctx, wanted)
        except base.ProviderError as err:
            return refused(ctx, err, "access")
        publish(ctx, addresses=_addresses(port))
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        if self._undo is None or being_deleted(ctx):
            return Done()
        try:
            port = self._set(ctx, ctx.inputs[self._undo])
        except _PERMANENT as err:
            # It was refused, or the port is gone: then nothing was changed, and nothing can be changed back.
            LOG.warning("the access of instance %s was not put back: %s", ctx.resource_id, err)
            return Done()
        except base.ProviderError as err:
            return later(ctx, err, "access")
        publish(ctx, addresses=_addresses(port))
        return Done()

    @staticmethod
    def _set(ctx: StepContext, wanted: Mapping[str, Any]) -> base.Port:
        reach = base.Access(bool(wanted.get("is_public")), access.restriction(wanted))
        return provider(ctx).set_access(tag(ctx, "port"), reach)


def freed(ctx: StepContext, err: base.ConflictError, what: str) -> Result:
    """Remove the server that keeps something from being removed, and come back soon.

    The steps before have removed it, but a call that was thought lost may have made it again. Nobody else's server has
    this tag. When there is no such server, something else is in the way, which takes its time.
    """
    outside, server = provider(ctx), tag(ctx, "server")
    try:
        if outside.find_server(server) is None:
            return later(ctx, err, what)
        LOG.warning("the %s of instance %s is in use by its server, which came late", what, ctx.resource_id)
        return Retry(POLL, f"{what}: {err}") if outside.remove_server(server) else Sleep(POLL)
    except base.ProviderError as failed:
        return later(ctx, failed, what)


class RemovePort:
    """Give the address back."""

    name = "remove-port"

    def run(self, ctx: StepContext) -> Result:
        try:
            provider(ctx).remove_port(tag(ctx, "port"))
        except base.ConflictError as err:
            return freed(ctx, err, "address")
        except base.ProviderError as err:
            return later(ctx, err, "address")
        publish(ctx, addresses=[], port=None)
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class EnsureVolume:
    """Make the data volume, in the size the instance has."""

    name = "ensure-volume"

    def run(self, ctx: StepContext) -> Result:
        instance = load_instance(ctx)
        spec = base.VolumeSpec(tag(ctx, "volume"), instance.volume_gib, instance.volume_type)
        try:
            volume = provider(ctx).ensure_volume(spec)
        except base.ProviderError as err:
            return refused(ctx, err, "data volume")
        if volume.status is base.Status.FAILED:
            return Failed(
                "provider.volume",
                "The data volume could not be made; delete the instance and try again.",
                volume.detail,
            )
        if volume.status is base.Status.PENDING:
            return Sleep(POLL)
        publish(ctx, volume_id=volume.id)
        return Done({"volume_id": volume.id})

    def undo(self, ctx: StepContext) -> Result:
        return RemoveVolume().run(ctx)


class RemoveVolume:
    """Remove the data volume and what is on it."""

    name = "remove-volume"

    def run(self, ctx: StepContext) -> Result:
        try:
            provider(ctx).remove_volume(tag(ctx, "volume"))
        except base.ConflictError as err:
            return freed(ctx, err, "volume")
        except base.ProviderError as err:
            return later(ctx, err, "volume")
        publish(ctx, volume_id=None)
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()


class GrowVolume:
    """Grow the data volume to ``inputs['size_gib']``.

    A volume never shrinks. When the flow is given up although the volume has grown (the reply was lost, or the cancel
    came too late), undo writes the new size down, so that accounting and reality agree.
    """

    name = "grow-volume"

    def run(self, ctx: StepContext) -> Result:
        instance = load_instance(ctx)
        spec = base.VolumeSpec(tag(ctx, "volume"), ctx.inputs["size_gib"], instance.volume_type)
        try:
            if provider(ctx).find_volume(spec.tag) is None:  # ensure_volume() would make an empty one
                raise base.NotFoundError(f"there is no volume {spec.tag}")
            volume = provider(ctx).ensure_volume(spec)
        except base.ProviderError as err:
            return refused(ctx, err, "larger data volume")
        if volume.status is base.Status.FAILED:
            return Failed("provider.volume", "The data volume could not be grown; it keeps its size.", volume.detail)
        return Done() if volume.status is base.Status.READY else Sleep(POLL)

    def undo(self, ctx: StepContext) -> Result:
        try:
            volume = provider(ctx).find_volume(tag(ctx, "volume"))
        except base.ProviderError as err:
            return later(ctx, err, "volume")
        size = ctx.inputs["size_gib"]
        if volume is not None and volume.status is not base.Status.FAILED and volume.size_gib >= size:
            publish(ctx, volume_gib=size)
        return Done()
