# SPDX-License-Identifier: Apache-2.0
"""The declarative base and the column shorthands that all tables share."""

import datetime
from typing import Annotated

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column

from trove.db import types

# Names for every constraint and index, so that migrations can refer to them on all databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

ID = Annotated[str, mapped_column(sa.String(36))]
Key = Annotated[str, mapped_column(sa.String(36), primary_key=True)]
Project = Annotated[str, mapped_column(sa.String(255))]
Word = Annotated[str, mapped_column(sa.String(64))]
Name = Annotated[str, mapped_column(sa.String(255))]
Moment = Annotated[datetime.datetime, mapped_column(types.UTCDateTime())]


class Base(DeclarativeBase):
    """Base of all tables: InnoDB, full Unicode with binary comparison on MySQL."""

    metadata = sa.MetaData(naming_convention=NAMING)
    __table_args__ = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def table_args(*items: sa.schema.SchemaItem) -> tuple[object, ...]:
    """Return ``__table_args__`` with ``items`` (indexes, constraints) in front of the common settings."""
    return (*items, dict(Base.__table_args__))
