# SPDX-License-Identifier: Apache-2.0
"""Whether a guest can carry out what is to be asked of it, by what it states itself (:mod:`trove.wire.stated`)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm

from trove.db import models
from trove.objects import base, errors
from trove.wire import command, stated

_GUESTS = base.table_of(models.GuestIdentity)
_BEATS = base.table_of(models.Heartbeat)
# SELECT commands, protocol_min, protocol_max FROM guest_identities AS g
#   LEFT JOIN heartbeats AS b ON b.instance_id = g.instance_id WHERE g.instance_id = :key
_STATED = (
    sa.select(_GUESTS.c.commands, _BEATS.c.protocol_min, _BEATS.c.protocol_max)
    .outerjoin(_BEATS, _BEATS.c.instance_id == _GUESTS.c.instance_id)
    .where(_GUESTS.c.instance_id == sa.bindparam("key"))
)


class Support(NamedTuple):
    """What a guest states, as it states it.

    :ivar commands: ``None`` before its first words.
    :ivar protocol: lowest and highest version.
    """

    commands: Mapping[str, list[int]] | None
    protocol: tuple[int, int]

    def understands(self, name: str, version: int, *, in_term: bool = False) -> bool:
        """See :func:`trove.wire.stated.understands`."""
        return stated.understands(self.commands or {}, self.protocol, name, version, in_term=in_term)


def get(session: orm.Session, instance_id: str) -> Support:
    """Return what an instance's guest states; nothing when there is no guest."""
    row = session.execute(_STATED, {"key": instance_id}).one_or_none()
    if row is None:
        return Support(None, (1, 1))
    return Support(row.commands, (row.protocol_min or 1, row.protocol_max or 1))


def require(session: orm.Session, instance_id: str, names: Iterable[str]) -> None:
    """Check that an instance's guest knows these commands in a version that can be sent.

    A guest that has not spoken yet passes: nobody knows. It is judged when a command is sent.

    :raises GuestTooOld: naming all that it does not know.
    """
    wanted = list(names)
    if not wanted:
        return
    found = get(session, instance_id)
    if found.commands is None:
        return
    versions: dict[str, list[int]] = {}
    for name, version in command.COMMANDS:
        versions.setdefault(name, []).append(version)
    lacking = [
        name for name in wanted if not any(found.understands(name, version) for version in versions.get(name, ()))
    ]
    if lacking:
        raise errors.GuestTooOld(instance_id, lacking)
