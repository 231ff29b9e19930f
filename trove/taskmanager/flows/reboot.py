# SPDX-License-Identifier: Apache-2.0
"""Restart the whole machine of an instance, or move it to another host: what only operators ask for.

The engine is stopped first and started last. A failure leaves a fault; the operating status says whether it runs.

Inputs of a restart: ``agent_silent``, where the agent was known not to report when it was accepted.
Inputs of a migration: ``host`` (or null) and ``restart_required``, whether a configuration change waited for a restart
when it was accepted: it waits on when nothing was moved.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.taskmanager import settle
from trove.taskmanager.steps import factories, guest, machine
from trove.workflow.model import Flow, StepContext


def _rebooted(ctx: StepContext, session: Session) -> None:
    settle.succeeded(session, ctx, ctx.resource_id, "restarted")


def _not_rebooted(ctx: StepContext, session: Session) -> None:
    settle.failed(session, ctx, ctx.resource_id, "restart_failed")


def _reboot_parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, ctx.resource_id, _not_rebooted)


def _migrated(ctx: StepContext, session: Session) -> None:
    settle.succeeded(session, ctx, ctx.resource_id, "updated")


def _not_migrated(ctx: StepContext, session: Session) -> None:
    settle.failed(
        session, ctx, ctx.resource_id, "updated_for_restart" if ctx.inputs["restart_required"] else "update_failed"
    )


def _migrate_parked(ctx: StepContext, session: Session) -> None:
    settle.parked(session, ctx, ctx.resource_id, _not_migrated)


def _start() -> guest.GuestStep:
    # The command waits for the guest to come back.
    return guest.GuestStep("start-engine", factories.make_start, "start the database", timeout=guest.ENGINE_TIMEOUT)


REBOOT = Flow(
    kind=operations.INSTANCE_REBOOT.name,
    version=1,
    steps=(machine.StopEngine("reboot-server"), machine.RebootServer(), _start()),
    on_success=_rebooted,
    on_reverted=_not_rebooted,
    on_parked=_reboot_parked,
    timeout=operations.INSTANCE_REBOOT.timeout,
)

MIGRATE = Flow(
    kind=operations.INSTANCE_MIGRATE.name,
    version=1,
    steps=(machine.StopEngine("migrate-server"), machine.MigrateServer(), _start()),
    on_success=_migrated,
    on_reverted=_not_migrated,
    on_parked=_migrate_parked,
    timeout=operations.INSTANCE_MIGRATE.timeout,
)
