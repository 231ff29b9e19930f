# SPDX-License-Identifier: Apache-2.0
"""An instance: the row, its compare-and-set save, and the one function that moves its status."""

import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import ids
from trove.db import api, models
from trove.domain import fsm, instance_states
from trove.objects import base, errors, instance_set
from trove.objects.instance_set import InstanceSet
from trove.objects.scope import Scope

LOG = logging.getLogger(__name__)

#: What a workflow learns from the provider.
PUBLISHED = frozenset({"addresses", "port", "volume_id", "server_id", "volume_gib"})


@ovo_base.VersionedObjectRegistry.register
class Instance(base.TroveObject):
    """One database instance. See :class:`trove.db.models.Instance` for the columns.

    >>> instance = Instance.get(session, Scope.project("p"), instance_id)                       # doctest: +SKIP
    >>> instance.process_event(session, "restart")                                              # doctest: +SKIP
    """

    # Version 1.0: Initial version
    # Version 1.1: configuration_id, server_group_id, launched_at
    # Version 1.2: set_id, role, provider, host, zone
    VERSION = "1.2"

    model = models.Instance

    fields = {
        "id": fields.UUIDField(),
        "project_id": fields.StringField(),
        "user_id": fields.StringField(nullable=True),
        "name": fields.StringField(),
        "status": fields.StringField(),
        "datastore_version_id": fields.UUIDField(),
        "flavor_id": fields.StringField(),
        "vcpus": fields.IntegerField(),
        "ram_mib": fields.IntegerField(),
        "disk_gib": fields.IntegerField(),
        "volume_gib": fields.IntegerField(),
        "volume_type": fields.StringField(nullable=True),
        "availability_zone": fields.StringField(nullable=True),
        "region": fields.StringField(nullable=True),
        "provider": fields.StringField(nullable=True),
        "host": fields.StringField(nullable=True),
        "zone": fields.StringField(nullable=True),
        "access": base.JSONField(),
        "addresses": base.JSONField(),
        "port": fields.IntegerField(nullable=True),
        "server_id": fields.StringField(nullable=True),
        "volume_id": fields.StringField(nullable=True),
        "configuration_id": fields.UUIDField(nullable=True),
        "server_group_id": fields.UUIDField(nullable=True),
        "set_id": fields.UUIDField(nullable=True),
        "role": fields.StringField(nullable=True),
        "revision": fields.IntegerField(),
        "deleted": fields.BooleanField(),
        "created_at": base.Moment(),
        "updated_at": base.Moment(),
        "deleted_at": base.Moment(nullable=True),
        "launched_at": base.Moment(nullable=True),
    }

    @classmethod
    def get(cls, session: orm.Session, scope: Scope, instance_id: str, *, include_deleted: bool = False) -> "Instance":
        """Return one instance.

        :raises InstanceNotFound: also when it belongs to another project.
        """
        row = session.execute(base.by_key(cls.table()), {"key": instance_id}).mappings().one_or_none()
        if row is None or not scope.admits(row["project_id"]) or (row["deleted"] and not include_deleted):
            raise errors.InstanceNotFound(instance_id)
        return cls.from_row(row)

    def create(self, session: orm.Session) -> None:
        """Insert the instance in state BUILD; an id is made unless one is set, optional columns default to nothing.
        Without a set it gets one in which it is alone."""
        now = api.now(session)
        defaults: dict[str, Any] = {
            "id": ids.new_id(),
            "user_id": None,
            "volume_type": None,
            "availability_zone": None,
            "region": None,
            "provider": None,
            "host": None,
            "zone": None,
            "access": {},
            "addresses": [],
            "port": None,
            "server_id": None,
            "volume_id": None,
            "configuration_id": None,
            "server_group_id": None,
            "role": None,
            "deleted_at": None,
            "launched_at": None,
        }
        self.assign({k: v for k, v in defaults.items() if not self.obj_attr_is_set(k)})
        if not self.obj_attr_is_set("set_id"):
            self.set_id = InstanceSet.alone(session, self.project_id, self.id).id
        self.insert(session, status=instance_states.BUILD, revision=1, deleted=False, created_at=now, updated_at=now)

    def save(self, session: orm.Session) -> None:  # type: ignore[override]
        """Write the columns assigned since the last read, if nobody else has saved meanwhile.

        ``status`` is refused: only :meth:`process_event` moves it.

        :raises StaleObject: when the row has another revision; the transaction must be repeated from its first read.
        """
        changes = self.changed_columns()
        if not changes:
            return
        forbidden = {"id", "status", "revision", "deleted", "provider", "host", "zone"} & set(changes)
        if forbidden:
            raise ValueError(
                f"save() does not write {sorted(forbidden)}; process_event(), place() and mark_deleted() do"
            )
        self._compare_and_set(session, changes)

    @classmethod
    def publish(cls, session: orm.Session, instance_id: str, columns: Mapping[str, Any]) -> None:
        """Write columns that have only one writer: the workflow that holds the instance. Nothing was read for that, so
        nothing can be stale; whoever saves what he has read meanwhile has to read again.

        :raises ValueError: for a column with more writers.
        """
        forbidden = set(columns) - PUBLISHED
        if forbidden:
            raise ValueError(f"publish() does not write {sorted(forbidden)}")
        table = cls.table()
        values = {**columns, "revision": table.c.revision + 1, "updated_at": api.now(session)}
        session.execute(sa.update(table).where(table.c.id == instance_id).values(values))

    @classmethod
    def place(
        cls, session: orm.Session, instance_id: str, *, provider: str, host: str | None, zone: str | None
    ) -> None:
        """Write where an instance is going to be, unless that was written before: then that holds, for ever.

        Read the row again afterwards. The revision stays: nobody's save is about these columns.

        :param provider: name of the provider.
        :param host: whose provider alone can act on it; ``None``: the provider can from any host.
        """
        table = cls.table()
        mine = (table.c.id == instance_id) & table.c.provider.is_(None)
        session.execute(sa.update(table).where(mine).values(provider=provider, host=host, zone=zone))

    def process_event(self, session: orm.Session, event: str, **columns: Any) -> None:
        """Move the status as the transition table says, and set ``columns`` in the same statement.

        The only place that moves a status. See :data:`trove.domain.instance_states.MACHINE` for the events.

        :raises InvalidInstanceState: when the present state does not allow ``event``; nothing was changed.
        :raises StaleObject: when another process has changed the instance since it was read.
        """
        before = self.status
        try:
            after = instance_states.MACHINE.next(before, event)
        except fsm.InvalidTransition as err:
            raise errors.InvalidInstanceState(self.id, before, event) from err
        self._compare_and_set(session, {**self.changed_columns(), **columns, "status": after})
        LOG.info(
            "Instance %(id)s: %(before)s -> %(after)s on event '%(event)s'",
            {"id": self.id, "before": before, "after": after, "event": event},
        )

    def mark_deleted(self, session: orm.Session) -> None:
        """End the instance: SHUTDOWN → DELETED; no API call shows it any more. It leaves its set."""
        self.process_event(session, "deleted", deleted=True, deleted_at=api.now(session))
        if self.set_id is not None:
            instance_set.leave(session, self.set_id, self.id)

    def _compare_and_set(self, session: orm.Session, values: dict[str, Any]) -> None:
        self.compare_and_set(session, "Instance", {**values, "updated_at": api.now(session)})
