# SPDX-License-Identifier: Apache-2.0
"""The base of versioned objects.

An object is one row, read with :meth:`TroveObject.from_row` and written by *named columns*: ``save`` writes what was
assigned since and nothing else, so that two services which change different columns never overwrite each other. Where
they could change the same one, the row has a revision and the save is a compare-and-set.

A value inside a JSON field must be replaced, not changed in place: only assignment is noticed.

SQLAlchemy takes longer to build a statement than a database to run it, so those of every request are built once:
:func:`by_key`, :func:`insert_into`, :func:`update_by_key`.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import sqlalchemy as sa
from oslo_versionedobjects import base as ovo_base
from oslo_versionedobjects import fields
from sqlalchemy import orm

from trove.common import exception
from trove.db import sealed
from trove.db.models import Base

#: What a TEXT column of MySQL (65,535 bytes) holds in any alphabet.
TEXT_LIMIT = 16000


class JSON(fields.FieldType[Any]):
    """Any JSON value; replaced as a whole."""

    @staticmethod
    def coerce(obj: Any, attr: str, value: Any) -> Any:
        return value

    @staticmethod
    def to_primitive(obj: Any, attr: str, value: Any) -> Any:
        return value

    @staticmethod
    def from_primitive(obj: Any, attr: str, value: Any) -> Any:
        return value

    def stringify(self, value: Any) -> str:
        return "<json>"


class JSONField(fields.AutoTypedField[Any]):
    AUTO_TYPE = JSON()


class Moment(fields.DateTimeField):
    """Naive UTC, as everywhere in Trove."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(tzinfo_aware=False, **kwargs)


class TroveObject(ovo_base.VersionedObject):
    """Base of all versioned objects.

    A subclass names its table with :data:`model` and lists fields of the same names as the columns. Above ``VERSION``
    it keeps the history; a test compares fingerprints, so that a changed field cannot be forgotten.
    """

    OBJ_PROJECT_NAMESPACE = "trove"
    OBJ_SERIAL_NAMESPACE = "trove_object"

    model: ClassVar[type[Base]]
    #: Fields that are joined in on reading and have no column of the same table.
    joined: ClassVar[frozenset[str]] = frozenset()

    if TYPE_CHECKING:  # the registry makes an attribute of each field

        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def table(cls) -> sa.Table:
        """Return the table; statements on it are plain SQL without an identity map."""
        return cast(sa.Table, cls.model.__table__)

    @classmethod
    def from_row(cls, row: sa.RowMapping | Mapping[str, Any]) -> Self:
        """Build an object from a row mapping that has a key for every field.

        :raises DecryptionFailed: when an encrypted column does not open.
        """
        obj = cls(**sealed.reveal(cls.table(), {name: row[name] for name in cls.fields}))
        obj.obj_reset_changes()
        return obj

    def column_values(self) -> dict[str, Any]:
        """Return ``{column: value}`` of every field that is set, sealed, and as every process that runs can read
        it."""
        return self._readable(name for name in self.fields if self.obj_attr_is_set(name))

    def changed_columns(self) -> dict[str, Any]:
        """Return ``{column: value}`` of every field assigned since the last read or save, sealed, and as every process
        that runs can read it."""
        return self._readable(self.obj_what_changed())

    def _readable(self, names: Iterable[str]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names if name not in self.joined}
        oldest = pinned(self.obj_name())
        if oldest is not None and version_key(oldest) < version_key(self.VERSION):
            # A field that the older release does not have is a column that it does not read.
            self.obj_make_compatible(values, oldest)
        table = self.table()
        if not sealed.columns(table):
            return values
        key = {part.name: getattr(self, part.name) for part in table.primary_key if self.obj_attr_is_set(part.name)}
        return sealed.seal(table, values, key)

    def assign(self, columns: Mapping[str, Any]) -> None:
        """Assign several fields; the names are written in our code, never received.

        :raises AttributeError: for a name that is no field.
        """
        unknown = set(columns) - set(self.fields)
        if unknown:
            raise AttributeError(f"{type(self).__name__} has no field {sorted(unknown)}")
        for name, value in columns.items():
            setattr(self, name, value)  # noqa: T306  checked against the list of fields just above

    def insert(self, session: orm.Session, **values: Any) -> None:
        """Insert the row: the fields that are set, with ``values`` on top."""
        self.assign(values)
        session.execute(insert_into(self.table()), self.column_values())
        self.obj_reset_changes()

    def compare_and_set(self, session: orm.Session, what: str, values: Mapping[str, Any]) -> None:
        """Write ``values`` if the row still has the revision that was read, and raise that by one; for objects with a
        ``revision`` and an ``id``.

        :param what: names the object to users: ``Instance``.
        :raises StaleObject: when the row has another revision; the transaction must be repeated from its first read.
        """
        # UPDATE table SET ..., revision = :seen + 1 WHERE id = :id AND revision = :seen
        written = {**values, "revision": self.revision + 1}
        seen = {"key": self.id, "seen_revision": self.revision}
        if rows_matched(session, update_by_key(self.table(), "revision"), {**seen, **written}) != 1:
            raise exception.StaleObject(f"{what} {self.id} was changed by another request; repeat the request.")
        self.assign(written)
        self.obj_reset_changes()

    def __repr__(self) -> str:  # the inherited one prints every field, and some are secret
        keys = [c.name for c in self.table().primary_key]
        text = " ".join(f"{k}={getattr(self, k) if self.obj_attr_is_set(k) else '?'}" for k in keys)
        return f"<{type(self).__name__} {text}>"


#: See :func:`pin`.
_pins: Mapping[str, str] = {}


def pin(versions: Mapping[str, str]) -> None:
    """Have rows written from now on as the release reads them that has these versions of the objects; see
    :func:`trove.objects.service_record.pins`.

    A class whose new version writes a *value* that the one before cannot read says with ``obj_make_compatible(values,
    target_version)`` what is to be written instead.
    """
    global _pins
    _pins = dict(versions)


def pinned(name: str) -> str | None:
    """Return the version that rows of the object ``name`` are written for; ``None``: the present one."""
    return _pins.get(name)


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that orders ``major.minor`` by number."""
    return tuple(int(part) for part in version.split("."))


def table_of(model: type[Base]) -> sa.Table:
    """Return the table of ``model``."""
    return cast(sa.Table, model.__table__)


@functools.cache
def by_key(table: sa.Table, *, for_update: bool = False) -> sa.Select[Any]:
    """Return a SELECT of the row whose primary key, of one column, is the parameter ``key``."""
    (column,) = table.primary_key
    query = sa.select(table).where(column == sa.bindparam("key"))
    return query.with_for_update() if for_update else query


@functools.cache
def insert_into(table: sa.Table) -> sa.Insert:
    """Return an INSERT of the columns that its parameters name."""
    return sa.insert(table)


@functools.cache
def update_by_key(table: sa.Table, *and_equal: str) -> sa.Update:
    """Return an UPDATE of the columns that its parameters name, in the row whose primary key is the parameter ``key``.

    :param and_equal: columns that must have the value of the parameter ``seen_`` and their name.
    """
    (column,) = table.primary_key
    statement = sa.update(table).where(column == sa.bindparam("key"))
    return statement.where(*(table.c[name] == sa.bindparam(f"seen_{name}") for name in and_equal))


def rows_matched(
    session: orm.Session, statement: sa.Update | sa.Delete, parameters: Mapping[str, Any] | None = None
) -> int:
    """Execute ``statement`` and return how many rows its WHERE clause matched (on MySQL too, changed or not)."""
    return cast("sa.CursorResult[Any]", session.execute(statement, parameters)).rowcount


def clip(text: str | None, limit: int = TEXT_LIMIT) -> str | None:
    """Return ``text`` fit for a column: at most ``limit`` characters (the end is kept) and no NUL, which PostgreSQL
    refuses."""
    return None if text is None else text.replace("\x00", "")[-limit:]
