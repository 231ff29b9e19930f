# SPDX-License-Identifier: Apache-2.0
"""What requests on the inside of a database share: the instance must be able to take a change, and the engine must
know the thing."""

from collections.abc import Collection, Container

from sqlalchemy.orm import Session

from trove.api.request import ApiRequest
from trove.api.requests import plugins
from trove.common import exception
from trove.datastores import spi
from trove.domain import instance_states
from trove.objects import errors, instance_listing, inventory
from trove.objects.instance import Instance
from trove.objects.instance_listing import InstanceRow
from trove.operations import readiness
from trove.operations.work import Work


class InstanceNotReady(exception.UnprocessableEntity):
    """The database cannot take a change now."""

    symbol = "instance.not_ready"

    def __init__(self, row: InstanceRow, operating_status: str) -> None:
        state = f"{row.status}/{operating_status}" if operating_status else row.status
        super().__init__(f"Instance {row.id} is not ready for this ({state}); wait until it is ACTIVE and HEALTHY.")


#: Nothing is known of the inside then: it is not there yet, was never finished, or is being removed.
_CLOSED = frozenset({instance_states.BUILD, instance_states.ERROR, instance_states.SHUTDOWN})


def readable(req: ApiRequest, session: Session, capability: spi.Capability) -> tuple[InstanceRow, spi.Plugin]:
    """Return the instance whose inventory is asked for, and its engine.

    :raises InstanceNotReady: when nothing is known of its inside.
    :raises NotSupported: when the engine lacks ``capability``.
    """
    row, engine = _find(req, session)
    plugins.require(engine, capability)
    _require_known(row)
    return row, engine


def listable(req: ApiRequest, session: Session, capability: spi.Capability) -> tuple[InstanceRow, spi.Plugin] | None:
    """Like :func:`readable`, for a list; ``None`` when the engine lacks ``capability``, so that the list is empty.

    :raises InstanceNotReady: when nothing is known of the inside of an instance whose engine has it.
    """
    row, engine = _find(req, session)
    if capability not in engine.capabilities:
        return None
    _require_known(row)
    return row, engine


def _require_known(row: InstanceRow) -> None:
    if row.status in _CLOSED:
        raise InstanceNotReady(row, "")


def changeable(req: ApiRequest, work: Work, capability: spi.Capability) -> tuple[Instance, spi.Plugin]:
    """Return the instance to be changed, which is idle and whose database answers, and its engine.

    :raises InstanceNotReady: otherwise.
    :raises NotSupported: when the engine lacks ``capability``.
    """
    row, engine = _find(req, work.session)
    plugins.require(engine, capability)
    require_usable(req, row)
    return work.instance(row.id), engine


def require_usable(req: ApiRequest, row: InstanceRow) -> None:
    """Check that an instance is idle and its database answers.

    :raises InstanceNotReady: otherwise.
    """
    conf = req.services.conf
    if not readiness.is_usable(conf, row):
        raise InstanceNotReady(row, readiness.operating_status(conf, row))


def _find(req: ApiRequest, session: Session) -> tuple[InstanceRow, spi.Plugin]:
    row = instance_listing.get_row(session, req.scope, req.path["instance_id"])
    return row, plugins.find(req, row.manager)


def refuse(reasons: list[str]) -> None:
    """Refuse the request when there is a reason to.

    :raises ValidationFailed: with all of them.
    """
    if reasons:
        raise exception.ValidationFailed(reasons)


def find_user(session: Session, engine: spi.Plugin, instance_id: str, name: str) -> inventory.UserRow:
    """Return the user that ``name`` in a path means.

    It is a plain name, or ``name@host`` with the host behind the last ``@``; names may contain ``@`` too. An engine
    without hosts knows a user by the name alone, so there the whole is tried first.

    :raises ValidationFailed: when it is one of the engine's own.
    :raises UserNotFound: when the instance has no such user.
    """
    readings = _readings(engine, name)
    known = inventory.known_users(session, instance_id, [user for user, _ in readings])
    return inventory.get_user(session, instance_id, *_choose(engine, readings, known))


def expect_user(
    session: Session, engine: spi.Plugin, instance_id: str, name: str, *, any_host: Collection[str] = ()
) -> inventory.UserRow:
    """Return the user that ``name`` in a path means, as it will be when all that was accepted is done; see
    :func:`find_user`.

    :param any_host: hosts that also mean a user who may come from any.
    """
    readings = _readings(engine, name, any_host)
    expected = inventory.expected(session, instance_id, users=[user for user, _ in readings]).users
    key = _choose(engine, readings, expected)
    return inventory.UserRow(*key, expected[key])


def _readings(engine: spi.Plugin, name: str, any_host: Collection[str] = ()) -> list[tuple[str, str]]:
    readings = [(name, "%")]
    user, at, host = name.rpartition("@")
    if at and user and host:
        if spi.Capability.USER_HOSTS in engine.capabilities:
            readings.insert(0, (user, host))
        if host in any_host or spi.Capability.USER_HOSTS not in engine.capabilities:
            readings.append((user, "%"))
    return readings


def _choose(engine: spi.Plugin, readings: list[tuple[str, str]], known: Container[tuple[str, str]]) -> tuple[str, str]:
    # The whole may break a rule that the name in it keeps, so only the shorter one is judged.
    refuse(engine.validate_users([{"name": min((user for user, _ in readings), key=len), "host": "%"}]))
    for reading in readings:
        if reading in known:
            return reading
    raise errors.UserNotFound(*readings[0])
