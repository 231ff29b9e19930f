# SPDX-License-Identifier: Apache-2.0
"""Keys and replay position of a guest. Whoever advances either holds the row (``for_update=True``) until its
transaction ends."""

import datetime
import secrets
from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.db import api, models, sealed
from trove.objects import base, errors

#: The one-time key is out; no guest has used it yet.
ISSUED = "ISSUED"
#: A guest was handed new keys and has not used them yet.
EXCHANGING = "EXCHANGING"
#: The guest speaks under its own keys; the one-time key is erased.
ENROLLED = "ENROLLED"
#: An operator has erased all keys; nothing the guest says opens.
REVOKED = "REVOKED"

_ONE_TIME_KEY_BYTES = 32


@ovo_base.VersionedObjectRegistry.register
class GuestIdentity(base.TroveObject):
    """One guest. ``keys`` is ``{"one_time": hex, "master": hex, "exchange": hex, "next": hex}``, each only while it is
    in use; it never shows in ``repr``. ``exchange`` is the private half of an exchange for the key that follows, and
    ``next`` is that key."""

    # Version 1.0: Initial version
    # Version 1.1: Added inventory_boot and inventory_sequence
    # Version 1.2: Added keys_changed_at
    VERSION = "1.2"

    model = models.GuestIdentity

    fields = {
        "instance_id": fields.UUIDField(),
        "state": fields.StringField(),
        "generation": fields.IntegerField(),
        "keys": base.JSONField(),
        "transport": fields.StringField(),
        "boot": fields.IntegerField(),
        "sequence": fields.IntegerField(),
        "window": fields.StringField(),
        "commands": base.JSONField(nullable=True),
        "sent_sequence": fields.IntegerField(),
        "inventory_boot": fields.IntegerField(),
        "inventory_sequence": fields.IntegerField(),
        "enrolled_at": base.Moment(nullable=True),
        "keys_changed_at": base.Moment(nullable=True),
        "created_at": base.Moment(),
    }

    @classmethod
    def get(cls, session: orm.Session, instance_id: str, *, for_update: bool) -> "GuestIdentity":
        """Return the identity of an instance's guest, locked until the transaction ends when ``for_update`` is set.

        :raises GuestNotFound: when none was issued.
        """
        identity = cls._find(session, instance_id, for_update=for_update)
        if identity is None:
            raise errors.GuestNotFound(instance_id)
        return identity

    @classmethod
    def issue(cls, session: orm.Session, instance_id: str, transport: str) -> str:
        """Give a new guest its one-time key and return it, 64 hexadecimal digits.

        Safe to repeat: while a one-time key is out that same one is returned, because a server may already have been
        started with it. After enrolment a new key is made and the old ones are forgotten. Sequences towards the guest
        go on counting.
        """
        identity = cls._find(session, instance_id, for_update=True)
        if identity is not None and identity.keys.get("one_time"):
            return str(identity.keys["one_time"])
        key = secrets.token_hex(_ONE_TIME_KEY_BYTES)
        fresh = {
            "state": ISSUED,
            "generation": 0,
            "keys": {"one_time": key},
            "transport": transport,
            "boot": 0,
            "sequence": 0,
            "window": "",
            "commands": None,
            "inventory_boot": 0,
            "inventory_sequence": 0,
            "enrolled_at": None,
            "keys_changed_at": None,
            "created_at": api.now(session),
        }
        if identity is None:
            cls(instance_id=instance_id, sent_sequence=0).insert(session, **fresh)
        else:
            identity.assign(fresh)
            identity.save(session)
        return key

    @classmethod
    def hold(cls, session: orm.Session, instance_id: str) -> None:
        """Lock the row of an instance's guest until the transaction ends, without reading its keys.

        :raises GuestNotFound: when no identity was issued.
        """
        if session.execute(_HOLD, {"key": instance_id}).one_or_none() is None:
            raise errors.GuestNotFound(instance_id)

    @classmethod
    def next_sequence(cls, session: orm.Session, instance_id: str) -> int:
        """Count ``sent_sequence`` up and return it; the row stays locked until the transaction ends.

        :raises GuestNotFound: when no identity was issued, or it was revoked: nothing can be sent to it.
        """
        if base.rows_matched(session, _COUNT_UP, {"key": instance_id}) != 1:
            raise errors.GuestNotFound(instance_id)
        return int(session.execute(_COUNT, {"key": instance_id}).scalar_one())

    def save(self, session: orm.Session) -> None:  # type: ignore[override]
        """Write the columns assigned since the last read; the caller holds the row.

        :raises GuestNotFound: when the identity was removed.
        """
        changes = self.changed_columns()
        if not changes:
            return
        if base.rows_matched(session, base.update_by_key(self.table()), {"key": self.instance_id, **changes}) != 1:
            raise errors.GuestNotFound(self.instance_id)
        self.obj_reset_changes()

    @classmethod
    def remove(cls, session: orm.Session, instance_id: str) -> None:
        """Forget the guest and its keys; nothing it says opens any more. Absence is success."""
        session.execute(sa.delete(cls.table()).where(cls.table().c.instance_id == instance_id))

    def revoke(self, session: orm.Session) -> None:
        """Erase all keys; the caller holds the row.

        Without boot and moment of enrolment, nothing counts that any conductor remembers of the guest.
        """
        erased = {"state": REVOKED, "generation": 0, "keys": {}, "boot": 0, "sequence": 0, "window": "",
                  "enrolled_at": None, "commands": None}  # fmt: skip
        self.assign(erased)
        self.save(session)

    @classmethod
    def _find(cls, session: orm.Session, instance_id: str, *, for_update: bool) -> "GuestIdentity | None":
        query = base.by_key(cls.table(), for_update=for_update)
        row = session.execute(query, {"key": instance_id}).mappings().one_or_none()
        return None if row is None else cls.from_row(row)


_TABLE = GuestIdentity.table()
_MINE = _TABLE.c.instance_id == sa.bindparam("key")
_HOLD = sa.select(_TABLE.c.instance_id).where(_MINE).with_for_update()
_HEARD = _TABLE.c.state != REVOKED
_COUNT_UP = sa.update(_TABLE).where(_MINE, _HEARD).values(sent_sequence=_TABLE.c.sent_sequence + 1)
_COUNT = sa.select(_TABLE.c.sent_sequence).where(_MINE)


def enrolled(
    session: orm.Session, after: str, limit: int, changed_before: datetime.datetime | None = None
) -> list[str]:
    """Return ids of up to ``limit`` instances above ``after`` whose guest has keys of its own, in order.

    :param changed_before: only those that have had the same keys since then.
    """
    query = sa.select(_TABLE.c.instance_id).where(_TABLE.c.state == ENROLLED, _TABLE.c.instance_id > after)
    if changed_before is not None:
        query = query.where(sa.func.coalesce(_TABLE.c.keys_changed_at, _TABLE.c.enrolled_at) <= changed_before)
    return list(session.scalars(query.order_by(_TABLE.c.instance_id).limit(limit)))


class KeyRow(NamedTuple):
    """What is needed to tell whether a message is a guest's; see :class:`GuestIdentity`. It never shows its keys."""

    instance_id: str
    state: str
    generation: int
    keys: dict[str, str]
    boot: int
    sequence: int
    window: str
    enrolled_at: datetime.datetime | None

    def __repr__(self) -> str:
        return f"<KeyRow {self.instance_id} {self.state}>"


_KEY_COLUMNS = [_TABLE.c[name] for name in KeyRow._fields]
_KEY_ROWS = sa.select(*_KEY_COLUMNS).where(_TABLE.c.instance_id.in_(sa.bindparam("ids", expanding=True)))


def key_rows(session: orm.Session, instance_ids: Collection[str]) -> dict[str, KeyRow]:
    """Return what is known of these guests, by instance; those that no identity was issued for are left out."""
    rows = session.execute(_KEY_ROWS, {"ids": list(instance_ids)})
    return {row["instance_id"]: KeyRow(**sealed.reveal(_TABLE, row)) for row in rows.mappings()}
