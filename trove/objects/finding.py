# SPDX-License-Identifier: Apache-2.0
"""Differences between our rows and what providers list, remembered from one comparison to the next."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.domain.reconciliation import Finding, Owner, Problem, Seen
from trove.objects import base, upsert
from trove.objects.reconciliation import Scope

_TABLE = base.table_of(models.ProviderFinding)
_KEY = ("provider", "host", "kind", "tag")
_SEEN = ("problem", "owner_kind", "owner_id", "outside_id", "detail", "first_seen_at", "last_seen_at", "reported_at")

#: Characters of what is kept of a provider's detail, and of an error.
DETAIL_LIMIT = 1000


class Row(NamedTuple):
    """A finding as an operator sees it."""

    scope: Scope
    finding: Finding
    error: str | None


def of_tags(session: orm.Session, scope: Scope, tags: Collection[str]) -> dict[tuple[str, str], Finding]:
    """Return what is remembered of things with ``tags``, by kind and tag."""
    rows = _rows(session, sa.select(_TABLE).where(_in(scope), _TABLE.c.tag.in_(sorted(tags)))) if tags else []
    return {(row.finding.seen.kind, row.finding.seen.tag): row.finding for row in rows}


def of_owner(session: orm.Session, owner: Owner, scope: Scope | None = None) -> list[Row]:
    """Return all that is remembered of one owner, in ``scope`` or everywhere."""
    mine = sa.and_(_TABLE.c.owner_id == owner.id, _TABLE.c.owner_kind == owner.kind)
    return _rows(session, sa.select(_TABLE).where(mine if scope is None else sa.and_(mine, _in(scope))))


def save(session: orm.Session, scope: Scope, findings: Sequence[Finding]) -> None:
    """Store findings, over what was remembered of the same things."""
    rows = [
        {
            **scope._asdict(),
            "kind": item.seen.kind,
            "tag": item.seen.tag,
            "problem": str(item.seen.problem),
            "owner_kind": item.seen.owner.kind,
            "owner_id": item.seen.owner.id,
            "outside_id": item.seen.outside_id[:255],
            "detail": base.clip(item.seen.detail, DETAIL_LIMIT),
            "first_seen_at": item.first_seen_at,
            "last_seen_at": item.last_seen_at,
            "reported_at": item.reported_at,
            "tried_at": item.first_seen_at,
        }
        for item in findings
    ]
    upsert.upsert(session, _TABLE, rows, _SEEN)


def forget_unseen(session: orm.Session, scope: Scope, since: datetime.datetime) -> int:
    """Delete what was not seen since a comparison began; return how many that were."""
    return base.rows_matched(session, sa.delete(_TABLE).where(_in(scope), _TABLE.c.last_seen_at < since))


def forget(session: orm.Session, scope: Scope, seen: Seen) -> None:
    """Delete one finding."""
    session.execute(sa.delete(_TABLE).where(_is(scope, seen)))


def unreported(
    session: orm.Session, scope: Scope, problems: Collection[Problem], *, before: datetime.datetime, limit: int
) -> list[Finding]:
    """Return problems of some kinds that were first seen before a moment and not reported yet, oldest first."""
    words = sorted(str(problem) for problem in problems)
    due = sa.and_(
        _in(scope), _TABLE.c.reported_at.is_(None), _TABLE.c.first_seen_at <= before, _TABLE.c.problem.in_(words)
    )
    query = sa.select(_TABLE).where(due).order_by(_TABLE.c.first_seen_at, _TABLE.c.kind, _TABLE.c.tag).limit(limit)
    return [row.finding for row in _rows(session, query)]


def mark_reported(session: orm.Session, scope: Scope, seen: Iterable[Seen], now: datetime.datetime) -> None:
    """Remember that these were reported."""
    for item in seen:
        session.execute(sa.update(_TABLE).where(_is(scope, item)).values(reported_at=now))


def orphans(
    session: orm.Session, scope: Scope, *, seen_before: datetime.datetime, tried_before: datetime.datetime, limit: int
) -> list[Owner]:
    """Return deleted owners of what was first seen before a moment, those whose turn was the longest ago first.

    :param tried_before: leave out what was tried since.
    """
    due = sa.and_(
        _in(scope),
        _TABLE.c.problem == str(Problem.ORPHANED),
        _TABLE.c.first_seen_at <= seen_before,
        _TABLE.c.tried_at <= tried_before,
    )
    columns = (_TABLE.c.owner_kind, _TABLE.c.owner_id)
    query = sa.select(*columns).where(due).group_by(*columns).order_by(sa.func.min(_TABLE.c.tried_at), *columns)
    return [Owner(row.owner_kind, row.owner_id) for row in session.execute(query.limit(limit))]


def tried(session: orm.Session, scope: Scope, owner: Owner, now: datetime.datetime, error: str | None) -> None:
    """Remember that the removal of what is left of ``owner`` was tried, and why it failed."""
    mine = sa.and_(_in(scope), _TABLE.c.owner_id == owner.id, _TABLE.c.owner_kind == owner.kind)
    session.execute(sa.update(_TABLE).where(mine).values(tried_at=now, error=base.clip(error, DETAIL_LIMIT)))


def list_rows(session: orm.Session, *, problem: Problem | None = None, limit: int = 1000) -> list[Row]:
    """Return findings of all providers, those that have lasted longest first."""
    query = sa.select(_TABLE) if problem is None else sa.select(_TABLE).where(_TABLE.c.problem == str(problem))
    return _rows(session, query.order_by(_TABLE.c.first_seen_at, *(_TABLE.c[name] for name in _KEY)).limit(limit))


def _in(scope: Scope) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.c.provider == scope.provider, _TABLE.c.host == scope.host)


def _is(scope: Scope, seen: Seen) -> sa.ColumnElement[bool]:
    return sa.and_(_in(scope), _TABLE.c.kind == seen.kind, _TABLE.c.tag == seen.tag)


def _rows(session: orm.Session, query: sa.Select[Any]) -> list[Row]:
    return [
        Row(
            Scope(row.provider, row.host),
            Finding(
                Seen(
                    row.kind, row.tag, Problem(row.problem), Owner(row.owner_kind, row.owner_id), row.outside_id,
                    row.detail,
                ),
                row.first_seen_at, row.last_seen_at, row.reported_at,
            ),
            row.error,
        )
        for row in session.execute(query)
    ]  # fmt: skip
