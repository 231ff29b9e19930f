# SPDX-License-Identifier: Apache-2.0
"""Removing workflows and guest commands that have ended and were kept long enough.

What anything live refers to is never removed, however old it is: a workflow that has not ended, one that such a
workflow was queued behind or has started, the last workflow of an instance that exists (which is the first that its
operations show), a command that is not final, a command of a workflow that has not ended. An ended workflow stays so,
and so does a deleted instance, hence what may be removed now may be removed later, and sweeps of several processes do
no harm to each other.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.objects import retention
from trove.objects.guest_command import FINAL as COMMAND_FINAL
from trove.objects.guest_command import GuestCommand
from trove.objects.instance import Instance
from trove.workflow import rows
from trove.workflow.model import FINAL

_W, _STEP, _SIGNAL, _CLAIM = rows.WORKFLOWS, rows.STEPS, rows.SIGNALS, rows.CLAIMS
_COMMAND, _INSTANCE = GuestCommand.table(), Instance.table()
_HAS_ENDED = _W.c.state.in_([state.value for state in FINAL])

# SELECT id, (SELECT id FROM workflows WHERE resource_id = w.resource_id ORDER BY created_at DESC, id DESC LIMIT 1)
#   FROM workflows AS w WHERE id IN :ids
_LATER = _W.alias("later")
_NEWEST = (
    sa.select(_LATER.c.id)
    .where(_LATER.c.resource_id == _W.c.resource_id)
    .order_by(_LATER.c.created_at.desc(), _LATER.c.id.desc())
    .limit(1)
    .correlate(_W)
    .scalar_subquery()
)


def sweep_workflows(session: Session, page: retention.Page) -> retention.Swept:
    """Remove workflows that ended before ``page.before``, with their steps and signals."""
    found, position = retention.old(session, _W.c.finished_at, [_W.c.id], page, _W.c.resource_id, _W.c.parent_id)
    # One statement for each reason to stay: of all in one, PostgreSQL would make joins that read whole tables.
    live = _those(session, sa.select(_INSTANCE.c.id).where(_INSTANCE.c.deleted.is_(sa.false())), _INSTANCE.c.id,
                  {row.resource_id for row in found})  # fmt: skip
    last = _those(session, sa.select(_W.c.id).where(_W.c.id == _NEWEST), _W.c.id,
                  {row.id for row in found if row.resource_id in live})  # fmt: skip
    awaited = _those(session, sa.select(_W.c.after_id).where(sa.not_(_HAS_ENDED)), _W.c.after_id,
                     {row.id for row in found} - last)  # fmt: skip
    active = _those(session, sa.select(_W.c.id).where(sa.not_(_HAS_ENDED)), _W.c.id,
                    {row.parent_id for row in found} - {None})  # fmt: skip
    of_active = {row.id for row in found if row.parent_id in active}
    going = sorted({row.id for row in found} - last - awaited - of_active)
    removed = len(going)
    if going and not page.dry:
        for table in (_SIGNAL, _STEP, _CLAIM):
            session.execute(sa.delete(table).where(table.c.workflow_id.in_(going)))
        removed = rows.matched(session, sa.delete(_W).where(_W.c.id.in_(going), _HAS_ENDED))
    return retention.Swept(len(found), removed, position)


def sweep_commands(session: Session, page: retention.Page) -> retention.Swept:
    """Remove guest commands that ended before ``page.before``."""
    found, position = retention.old(
        session, _COMMAND.c.finished_at, [_COMMAND.c.id], page, _COMMAND.c.workflow_id
    )
    asked = {row.workflow_id for row in found} - {None}
    active = _those(session, sa.select(_W.c.id).where(sa.not_(_HAS_ENDED)), _W.c.id, asked)
    going = sorted(row.id for row in found if row.workflow_id not in active)
    removed = len(going)
    if going and not page.dry:
        final = _COMMAND.c.state.in_(sorted(COMMAND_FINAL))
        removed = rows.matched(session, sa.delete(_COMMAND).where(_COMMAND.c.id.in_(going), final))
    return retention.Swept(len(found), removed, position)


def _those(session: Session, query: sa.Select[Any], column: sa.Column[Any], values: Collection[str]) -> set[str]:
    """Return what ``query`` finds with ``column`` among ``values``; nothing is asked about nothing."""
    return set(session.scalars(query.where(column.in_(sorted(values))))) if values else set()
