# SPDX-License-Identifier: Apache-2.0
"""What guests are asked for: each function builds one command from the inputs of a workflow and an instance's row."""

from trove.common import ids
from trove.objects import configuration, secret
from trove.objects.instance import Instance
from trove.taskmanager.steps import server
from trove.taskmanager.steps.commands import MakeCommand
from trove.wire import command
from trove.workflow.model import StepContext

#: Symbol of a guest whose engine refused a value; everything is as before then.
CONFIGURATION_REFUSED = "configuration.refused"


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
