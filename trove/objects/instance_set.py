# SPDX-License-Identifier: Apache-2.0
"""A set of instances: its row, its compare-and-set save, and the one function that begins a change of primary.

Every instance is a member of a set; most of them are alone in it, and are its primary.
"""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import ids
from trove.db import api, models
from trove.domain import sets
from trove.objects import base, errors

if TYPE_CHECKING:
    from trove.objects.instance import Instance

_INSTANCE = base.table_of(models.Instance)


@ovo_base.VersionedObjectRegistry.register
class InstanceSet(base.TroveObject):
    """One set. See :class:`trove.db.models.InstanceSet` for the columns.

    >>> members = InstanceSet.of(session, instance)                                             # doctest: +SKIP
    >>> members.promote(session, replica.id)                                                    # doctest: +SKIP
    """

    # Version 1.0: Initial version
    VERSION = "1.0"

    model = models.InstanceSet

    fields = {
        "id": fields.UUIDField(),
        "project_id": fields.StringField(),
        "kind": fields.StringField(),
        "policy": fields.StringField(nullable=True),
        "term": fields.IntegerField(),
        "target_primary": fields.UUIDField(nullable=True),
        "current_primary": fields.UUIDField(nullable=True),
        "revision": fields.IntegerField(),
        "created_at": base.Moment(),
    }

    @classmethod
    def alone(cls, session: orm.Session, project_id: str, instance_id: str) -> "InstanceSet":
        """Insert a set whose one member is the instance; the caller writes the set's id into the instance's row."""
        made = cls(id=ids.new_id(), project_id=project_id, kind=sets.REPLICATION, policy=None, term=0)
        made.insert(
            session, target_primary=instance_id, current_primary=instance_id, revision=1, created_at=api.now(session)
        )
        return made

    @classmethod
    def of(cls, session: orm.Session, instance: "Instance") -> "InstanceSet":
        """Return the set that an instance is in. One that a process of the former release has made gets its set here,
        so the session must be a writer's.

        :raises InstanceNotFound: when the instance is deleted, and its set with it.
        """
        # Locked, so that two who find no set do not make two.
        query = sa.select(_INSTANCE.c.set_id, _INSTANCE.c.deleted).where(_INSTANCE.c.id == instance.id)
        row = session.execute(query.with_for_update()).one_or_none()
        if row is None or row.deleted:
            raise errors.InstanceNotFound(instance.id)
        if row.set_id is None:
            made = cls.alone(session, instance.project_id, instance.id)
            mine = _INSTANCE.c.id == instance.id
            # The revision stays: nobody else writes this column, so nobody's save is about it.
            session.execute(sa.update(_INSTANCE).where(mine).values(set_id=made.id))
        else:
            made = cls.get(session, row.set_id)
        instance.assign({"set_id": made.id})
        instance.obj_reset_changes(["set_id"])
        return made

    @classmethod
    def get(cls, session: orm.Session, set_id: str) -> "InstanceSet":
        """Return one set.

        :raises SetNotFound: when there is none: its last member is gone.
        """
        row = session.execute(base.by_key(cls.table()), {"key": set_id}).mappings().one_or_none()
        if row is None:
            raise errors.SetNotFound(set_id)
        return cls.from_row(row)

    def members(self, session: orm.Session) -> list[str]:
        """Return the ids of the instances in it that are not deleted, sorted."""
        return list(session.scalars(_members(self.id).order_by(_INSTANCE.c.id)))

    @property
    def progress(self) -> sets.Progress:
        """What is in progress."""
        return sets.progress(self.target_primary, self.current_primary)

    def save(self, session: orm.Session) -> None:  # type: ignore[override]
        """Write the columns assigned since the last read: ``policy`` and ``current_primary``.

        :raises ValueError: for another column; :meth:`promote` writes who is to be primary.
        :raises StaleObject: when the row has another revision; the transaction must be repeated from its first read.
        """
        if changes := self._assigned():
            self.compare_and_set(session, "Set", changes)

    def promote(self, session: orm.Session, member_id: str) -> None:
        """Write that a member is to be primary, and with it the next term: whoever was to be primary until now is
        fenced off by it. One that is to be primary already is so in a new term.

        :raises ValueError: when the instance is no member.
        :raises StaleObject: see :meth:`save`.
        """
        if session.scalar(_members(self.id).where(_INSTANCE.c.id == member_id)) is None:
            raise ValueError(f"instance {member_id} is no member of set {self.id}")
        self.compare_and_set(session, "Set", {**self._assigned(), "target_primary": member_id, "term": self.term + 1})

    def _assigned(self) -> dict[str, Any]:
        changes = self.changed_columns()
        if forbidden := set(changes) - {"policy", "current_primary"}:
            raise ValueError(f"{sorted(forbidden)} cannot be assigned; promote() writes who is to be primary")
        return changes


def leave(session: orm.Session, set_id: str, instance_id: str) -> None:
    """Take a deleted instance out of its set: the set goes with its last member, else nobody is, or becomes,
    primary in its place."""
    table = InstanceSet.table()
    # The lock lets two that leave at once see each other: the second one finds the first one deleted.
    session.execute(base.by_key(table, for_update=True), {"key": set_id})
    if session.scalar(_members(set_id).where(_INSTANCE.c.id != instance_id).limit(1)) is None:
        session.execute(sa.delete(table).where(table.c.id == set_id))
        return
    for role in (table.c.current_primary, table.c.target_primary):
        was = (table.c.id == set_id) & (role == instance_id)
        session.execute(sa.update(table).where(was).values({role: None, table.c.revision: table.c.revision + 1}))


def _members(set_id: str) -> sa.Select[tuple[str]]:
    return sa.select(_INSTANCE.c.id).where(_INSTANCE.c.set_id == set_id, _INSTANCE.c.deleted.is_(sa.false()))
