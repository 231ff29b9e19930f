# SPDX-License-Identifier: Apache-2.0
"""The logs of an instance: what there is, switch one, publish it, read what was published.

What is shown is what the guest reported last. A change waits for the guest, a few seconds, because its caller wants to
read the log next; one that takes longer goes on, and the log is shown as it is until then.
"""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from trove.api import transactions, waiting
from trove.api.request import ApiRequest, Reply
from trove.api.requests import data, plugins
from trove.api.views import logs as view
from trove.common import exception, ids
from trove.conf import guest_logs as options
from trove.datastores.spi import Capability
from trove.domain import guest_logs, instance_states, operations
from trove.objects import errors, guest_log, instance_listing, published_log
from trove.objects.guest_identity import GuestIdentity
from trove.objects.guest_log import LogRow
from trove.objects.instance_listing import InstanceRow
from trove.objectstore import base as stores
from trove.operations import submitting
from trove.operations.work import Work
from trove.workflow.listing import Operation
from trove.workflow.model import State

_WITHOUT_GUEST = frozenset({instance_states.BUILD, instance_states.SHUTDOWN})


class LogRefused(exception.BadRequest):
    """The switches of a request make no sense for this log."""

    symbol = "log.refused"


class LogFailed(exception.UnprocessableEntity):
    symbol = "log.failed"
    default = "The log could not be changed; check the instance and try again."


class LogQuotaExceeded(exception.QuotaExceeded):
    """The published logs of the instance or of its project take all that they may."""

    symbol = "log.quota_exceeded"


def index(req: ApiRequest) -> Reply:
    """List the logs that the caller may see."""
    with req.services.db.reader() as session:
        instance = _instance(req, session)
        rows = [row for row in guest_log.list_rows(session, instance.id) if _visible(req, instance, row.name)]
    return Reply(view.index(rows, instance.manager))


def change(req: ApiRequest) -> Reply:
    """Do what the body asks of a log, and show it."""
    name = req.body["name"]
    wanted = {key: bool(req.body.get(key)) for key in ("enable", "disable", "publish", "discard")}
    if not any(wanted.values()):
        req.authorize("instance:guest_log_list")
        return _show(req, name)
    req.authorize("instance:guest_log_action")
    with waiting.place(req) as place:
        operation_id = transactions.perform(req, lambda work: _accept(req, work, name, wanted))

        def reply(ended: Operation | None) -> Reply:
            if ended is not None and ended.state != State.SUCCEEDED:
                raise LogFailed(ended.error_message)
            return _show(req, name)

        return place.reply_when_ended(operation_id, reply)


def content(req: ApiRequest) -> Reply:
    """Return what was published of a log, as one text."""
    store = _store(req)
    with req.services.db.reader() as session:
        instance = _instance(req, session)
        row = _find(req, session, instance, req.path["log_name"])
    if row.container is None or row.prefix is None:
        return Reply(stream=iter(()))
    try:
        found = list(store.find(instance.project_id, row.container, row.prefix))
    except stores.StoreError as err:
        raise _away(err) from err
    return Reply(stream=_pieces(store, instance.project_id, row.container, [item.name for item in found]))


def _pieces(store: stores.ObjectStore, project_id: str, container: str, names: list[str]) -> Iterator[bytes]:
    for name in names:
        try:
            yield from store.get(project_id, container, name)
        except stores.ObjectNotFound:  # it has expired since the listing
            continue


def _show(req: ApiRequest, name: str) -> Reply:
    with req.services.db.reader() as session:
        instance = _instance(req, session)
        row = _find(req, session, instance, name)
    return Reply(view.show(row, instance.manager))


def _accept(req: ApiRequest, work: Work, name: str, wanted: dict[str, bool]) -> str:
    """Decide, and submit what is to be done; return the instance and the operation."""
    instance = _instance(req, work.session)
    row = _find(req, work.session, instance, name)
    planned = guest_logs.plan(row.type, wanted)
    if isinstance(planned, str):
        raise LogRefused(f"Log '{name}': {planned}.")
    if planned.discard or planned.publish:
        _store(req)
    if planned.publish:
        _require_way(req, work.session, instance)
        if not planned.discard:
            _require_room(req, work.session, instance)
    enabled = planned.enabled
    if enabled is not None and not wanted["enable"] and enabled == row.enabled:
        enabled = None  # implied, and so already
    if enabled is not None:
        plugins.require(plugins.find(req, instance.manager), Capability.LOGS)
        data.require_usable(req, instance)
    else:
        _require_guest(req, instance)
    kind = operations.LOG_PUBLISH if planned.publish else operations.LOG_CHANGE
    inputs = {
        "log": name,
        "enabled": enabled,
        "discard": planned.discard,
        "publish": planned.publish,
        "manager": instance.manager,
        "ticket_id": ids.new_id() if planned.publish else None,
    }
    return submitting.submit(work, kind, work.instance(instance.id), inputs)


def _instance(req: ApiRequest, session: Session) -> InstanceRow:
    return instance_listing.get_row(session, req.scope, req.path["instance_id"])


def _find(req: ApiRequest, session: Session, instance: InstanceRow, name: str) -> LogRow:
    """Return a log that the caller may see.

    :raises LogNotFound: otherwise; nothing tells whether it exists.
    """
    if not _visible(req, instance, name):
        raise errors.LogNotFound(name)
    return guest_log.get(session, instance.id, name)


def _visible(req: ApiRequest, instance: InstanceRow, name: str) -> bool:
    return req.context.is_admin or name in options.exposed(req.services.conf, instance.manager)


def _store(req: ApiRequest) -> stores.ObjectStore:
    if req.services.objects is None:
        raise exception.NotSupported(
            "This service does not have the capability 'log-publishing': no object store is configured; ask the "
            "operator."
        )
    return req.services.objects


def _require_guest(req: ApiRequest, instance: InstanceRow) -> None:
    """Check that the guest is there; its logs are asked for most when the database does not run.

    :raises InstanceNotReady: otherwise.
    """
    expiry = req.services.conf.guest_bus.agent_heartbeat_expiry
    seen = instance.reported_at
    if instance.status in _WITHOUT_GUEST or seen is None or instance_states.is_silent(seen, instance.read_at, expiry):
        raise data.InstanceNotReady(instance, "")


def _require_way(req: ApiRequest, session: Session, instance: InstanceRow) -> None:
    """Refuse to publish where the guest cannot reach the gateway."""
    bus = req.services.conf.guest_bus
    if not bus.gateway_url and GuestIdentity.get(session, instance.id, for_update=False).transport == "messaging":
        raise exception.NotSupported(
            "Logs of this instance cannot be published: its guest talks over the message bus, and the service has no "
            "gateway for uploads; ask the operator to set [guest_bus] gateway_url."
        )


def _require_room(req: ApiRequest, session: Session, instance: InstanceRow) -> None:
    """Refuse to publish more than the store is to hold; what is discarded first makes room, and is seen to later.

    :raises LogQuotaExceeded: naming the limit.
    """
    limits = published_log.limits(req.services.conf)
    used = published_log.use(session, instance.project_id, instance.id, req.services.db.now(session))
    if not guest_logs.allowance(used, limits):
        raise LogQuotaExceeded(guest_logs.refusal(used, limits))


def _away(err: stores.StoreError) -> exception.ServiceUnavailable:
    return exception.ServiceUnavailable("The object store does not answer at the moment; try again.", details=str(err))
