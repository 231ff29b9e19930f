# SPDX-License-Identifier: Apache-2.0
"""Steps that make, resize and remove the server, and make its guest known."""

import json

from sqlalchemy.orm import Session

from trove.domain.shape import Shape
from trove.objects import catalog, server_group
from trove.objects.guest_identity import GuestIdentity
from trove.objects.instance import Instance
from trove.providers import base
from trove.taskmanager.environment import Environment
from trove.taskmanager.members import Member, MemberStep
from trove.taskmanager.steps import forgetting, outside
from trove.wire.bootstrap import Bootstrap
from trove.workflow.model import Done, Failed, Result, Retry, Sleep, StepContext


class IssueIdentity(MemberStep):
    """Make the guest's one-time key."""

    name = "issue-guest-identity"

    def run(self, ctx: StepContext) -> Result:
        _issue(self.member(ctx), ctx.env.conf.guest_bus.transport)
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return forgetting.forget(self.member(ctx))


class EnsureServer(MemberStep):
    """Make the server that runs the guest agent, or adopt it.

    The bootstrap document only counts when the server is made. A repeated run may find the guest enrolled and its
    one-time key erased; the server is there then and is adopted.
    """

    name = "ensure-server"

    def run(self, ctx: StepContext) -> Result:
        env: Environment = ctx.env
        member = self.member(ctx)
        with env.db.reader() as session:
            version = catalog.DatastoreVersion.get(session, member.instance.datastore_version_id)
            identity = GuestIdentity.get(session, member.id, for_update=False)
        try:
            provider = member.provider
            if not identity.keys.get("one_time") and provider.find_server(member.tag("server")) is None:
                # Somebody has removed the server after its guest had enrolled; a new guest needs a new key.
                _issue(member, identity.transport)
                return Retry(outside.RETRIES.first, "the server of an enrolled guest is gone")
            server = provider.ensure_server(_spec(member, version, identity))
        except base.ProviderError as err:
            return outside.refused(ctx, err, "server")
        if server.status is base.Status.FAILED:
            return Failed(
                "provider.server", "The server could not be started; delete the instance and try again.", server.detail
            )
        if server.status is base.Status.PENDING:
            return Sleep(provider.poll_interval)
        member.publish(server_id=server.id)
        return Done({"server_id": server.id})

    def undo(self, ctx: StepContext) -> Result:
        return _remove_server(self.member(ctx))


def _spec(member: Member, version: catalog.DatastoreVersion, identity: GuestIdentity) -> base.ServerSpec:
    instance = member.instance
    return base.ServerSpec(
        tag=member.tag("server"),
        name=instance.name,
        shape=Shape(vcpus=instance.vcpus, ram_mib=instance.ram_mib, disk_gib=instance.disk_gib),
        port_tag=member.tag("port"),
        volume_tag=member.tag("volume"),
        datastore_manager=version.manager,
        flavor_id=instance.flavor_id,
        project_id=instance.project_id,
        image=version.image_id,
        engine_home=version.engine_home,
        root_image=version.root_image,
        availability_zone=instance.availability_zone,
        group=_group(member),
        bootstrap=_bootstrap(member.ctx.env, instance, version, identity),
    )


def group_tag(group_id: str) -> str:
    """Return the tag of a server group."""
    return f"server-group:{group_id}"


def _group(member: Member) -> base.ServerGroup | None:
    group_id = member.instance.server_group_id
    if group_id is None:
        return None
    with member.ctx.env.db.reader() as session:
        policy = server_group.policy_of(session, group_id)
    return None if policy is None else base.ServerGroup(group_tag(group_id), policy)


def _issue(member: Member, transport: str) -> None:
    def write(session: Session) -> None:
        GuestIdentity.issue(session, member.id, transport)

    member.ctx.at_checkpoint(write)


def _bootstrap(
    env: Environment,
    instance: Instance,
    version: catalog.DatastoreVersion,
    identity: GuestIdentity,
) -> bytes:
    bus = env.conf.guest_bus
    if identity.transport == "gateway":
        endpoint = env.gateway_url or bus.gateway_url
        ca = _read(bus.gateway_ca_file)
    else:
        endpoint, ca = bus.guest_transport_url or bus.transport_url, None
    if not endpoint:  # the service refuses to start like this, but the transport may have been changed since
        raise base.FatalError(f"[guest_bus] says nothing of where guests find transport '{identity.transport}'")
    document = Bootstrap(
        instance_id=instance.id,
        datastore_manager=version.manager,
        datastore_version=version.version,
        transport=identity.transport,
        endpoint=endpoint,
        ca=ca,
        one_time_key=identity.keys.get("one_time"),
        heartbeat_interval=bus.heartbeat_interval,
        engine_home=version.engine_home,
        data_dir="",
        state_dir="",
        options={"volume_gib": instance.volume_gib},
    )
    return json.dumps(document.to_wire()).encode()


def _read(path: str | None) -> str | None:
    if not path:
        return None
    with open(path, encoding="ascii") as file:
        return file.read()


class RemoveServer(MemberStep):
    """Remove the server; what runs on it ends."""

    name = "remove-server"

    def run(self, ctx: StepContext) -> Result:
        return _remove_server(self.member(ctx))

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _remove_server(member: Member) -> Result:
    try:
        provider = member.provider
        gone = provider.remove_server(member.tag("server"))
    except base.ProviderError as err:
        return outside.later(member.ctx, err, "server")
    if not gone:
        return Sleep(outside.removal_pause(member.ctx.waited, provider.poll_interval))
    member.publish(server_id=None)
    return Done()


class ResizeServer(MemberStep):
    """Give the server the shape in ``inputs['new']``; undo gives it ``inputs['old']``."""

    name = "resize-server"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        try:
            provider = member.provider
            server = _resize(provider, member, "new")
        except base.ProviderError as err:
            return outside.refused(ctx, err, "new server size")
        if server.status is base.Status.FAILED:
            return Failed("provider.server", "The server could not be resized; it keeps its size.", server.detail)
        return Done() if server.status is base.Status.READY else Sleep(provider.poll_interval)

    def undo(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        if member.being_deleted:
            return Done()
        try:
            provider = member.provider
            server = _resize(provider, member, "old")
        except base.NotFoundError:
            return Done()  # that is why the flow has failed
        except base.ProviderError as err:
            return outside.later(ctx, err, "old server size")
        if server.status is base.Status.FAILED:
            return outside.later(ctx, base.ConflictError(server.detail), "old server size")
        return Done() if server.status is base.Status.READY else Sleep(provider.poll_interval)


def _resize(provider: base.Provider, member: Member, which: str) -> base.Server:
    return provider.resize_server(
        member.tag("server"),
        input_shape(member.ctx, which),
        flavor_id=member.ctx.inputs[which]["flavor_id"],
        project_id=member.instance.project_id,
    )


def input_shape(ctx: StepContext, which: str) -> Shape:
    """Return the shape stored under ``inputs[which]``."""
    stored = ctx.inputs[which]
    return Shape(vcpus=stored["vcpus"], ram_mib=stored["ram_mib"], disk_gib=stored["disk_gib"])


class RemoveServerGroup(MemberStep):
    """Remove the group that the instance's server was in, when it was the last of it."""

    name = "remove-server-group"

    def run(self, ctx: StepContext) -> Result:
        member = self.member(ctx)
        group_id = member.instance.server_group_id
        if group_id is None:
            return Done()
        with ctx.env.db.reader() as session:
            shared = server_group.has_others(session, group_id, member.id)
        if not shared:
            try:
                member.provider.remove_server_group(group_tag(group_id))
            except base.ConflictError:
                return Done()  # another one is on its way out too, and removes it
            except base.ProviderError as err:
                return outside.later(ctx, err, "server group")
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()
