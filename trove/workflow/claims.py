# SPDX-License-Identifier: Apache-2.0
"""Who holds which claim; all claims of a workflow are taken together or not at all.

Every claim is a row of ``workflow_claims``, whose primary key is what keeps two workflows from holding the same one. A
workflow of one claim has it in ``workflows.claim_key`` too, where processes of the former release look; what these have
submitted has it there only. What they have ended leaves its rows behind: a row counts while its workflow is active.

Several claims are taken in their sorted order, so that two that want the same ones do not wait for each other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.workflow import rows
from trove.workflow.model import FINAL

_W, _CLAIM = rows.WORKFLOWS, rows.CLAIMS
_FINAL = [state.value for state in FINAL]

# SELECT claim_key, workflow_id, state
#   FROM (SELECT claim_key, id FROM workflows WHERE claim_key IN :keys
#         UNION SELECT claim_key, workflow_id FROM workflow_claims WHERE claim_key IN :keys) LEFT JOIN workflows
_KEYS: sa.BindParameter[str] = sa.bindparam("keys", expanding=True)
_ROWS = sa.union(
    sa.select(_W.c.claim_key, _W.c.id.label("workflow_id")).where(_W.c.claim_key.in_(_KEYS)),
    sa.select(_CLAIM.c.claim_key, _CLAIM.c.workflow_id).where(_CLAIM.c.claim_key.in_(_KEYS)),
).subquery("claimed")
_LOOK = (
    sa.select(_ROWS.c.claim_key, _ROWS.c.workflow_id, _W.c.state)
    .select_from(_ROWS.outerjoin(_W, _W.c.id == _ROWS.c.workflow_id))
    .order_by(_ROWS.c.claim_key)
)
_RELEASE = sa.delete(_CLAIM).where(_CLAIM.c.workflow_id == sa.bindparam("workflow"))


class Holder(NamedTuple):
    """A claim and the active workflow that holds it."""

    claim_key: str
    workflow_id: str


def holder(session: Session, keys: Sequence[str]) -> Holder | None:
    """Return who holds one of ``keys``, the first in their order that is held."""
    found = session.execute(_LOOK, {"keys": list(keys)}).all() if keys else ()
    return next((Holder(row.claim_key, row.workflow_id) for row in found if _is_active(row)), None)


def lock_holder(session: Session, keys: Sequence[str]) -> Holder | None:
    """Return who holds one of ``keys``, locked, so that it does not end before the caller's transaction does."""
    while (found := holder(session, keys)) is not None:
        state = sa.select(_W.c.state).where(_W.c.id == found.workflow_id).with_for_update()
        if session.execute(state).scalar_one_or_none() not in (None, *_FINAL):
            return found
    return None


def take(session: Session, workflow_id: str, keys: Sequence[str]) -> None:
    """Take ``keys`` for a workflow, after :func:`holder` has found nobody.

    :raises DBDuplicateEntry: when somebody else has taken one meanwhile; the caller's savepoint takes back the others.
    """
    if not keys:
        return
    for row in session.execute(_LOOK, {"keys": list(keys)}).all():
        if not _is_active(row):
            left = (_CLAIM.c.claim_key == row.claim_key) & (_CLAIM.c.workflow_id == row.workflow_id)
            session.execute(sa.delete(_CLAIM).where(left))
    session.execute(sa.insert(_CLAIM), [{"claim_key": key, "workflow_id": workflow_id} for key in sorted(keys)])


def release(session: Session, workflow_id: str) -> None:
    """Give up whatever claims a workflow holds; it has ended in this transaction."""
    session.execute(_RELEASE, {"workflow": workflow_id})


def held_by(claim: str) -> sa.Select[Any]:
    """Return a query for the whole row of the active workflow that holds ``claim``."""
    held = sa.select(_W).join(_ROWS, _ROWS.c.workflow_id == _W.c.id)
    return held.where(_W.c.state.not_in(_FINAL)).params(keys=[claim])


def _is_active(row: Any) -> bool:
    return row.state is not None and row.state not in _FINAL
