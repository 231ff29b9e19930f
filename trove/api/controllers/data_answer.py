# SPDX-License-Identifier: Apache-2.0
"""What is answered to a change inside a database: that it was accepted, that it is done, or the operations it began.

A change that takes something away (a user, a grant, root, a password that is known) is not called done before it is:
whoever is told so relies on it. In the API of existing clients, which have only the answer, the request therefore waits
for the guest. It says 202 when that takes longer, or when too many of the project's requests wait already: accepted,
and not done yet. From microversion 1.3 on nobody waits; the answer is 202 with the operations, which tell the rest.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trove.api import microversions, transactions, waiting
from trove.api.request import ApiRequest, Reply
from trove.api.views import operations as view
from trove.common import exception
from trove.operations.work import Work
from trove.workflow.listing import Operation
from trove.workflow.model import State


class ChangeFailed(exception.UnprocessableEntity):
    """The guest could not make the change; everything that it says of it is in the message."""

    symbol = "operation.failed"
    default = "The change could not be made; check the instance and try again."


class Began(NamedTuple):
    """What a request has begun; no operation when it had nothing to change."""

    instance_id: str
    operation_ids: Sequence[str] = ()


Decide = Callable[[ApiRequest, Work], Began]


def at_once(decide: Decide) -> Callable[[ApiRequest], Reply]:
    """Return the handler that runs ``decide`` with :func:`trove.api.transactions.perform` and answers that it was
    accepted."""

    @functools.wraps(decide)
    def handler(req: ApiRequest) -> Reply:
        return _accepted(req, transactions.perform(req, lambda work: decide(req, work)))

    return handler


def when_done(decide: Decide) -> Callable[[ApiRequest], Reply]:
    """Return the handler that runs ``decide`` in the same way and answers when what it began is done."""
    soon = at_once(decide)

    @functools.wraps(decide)
    def handler(req: ApiRequest) -> Reply:
        if req.version >= microversions.OPERATIONS:
            return soon(req)
        try:
            place = waiting.place(req)
        except waiting.TooManyWaiting:
            return soon(req)
        with place:
            began = transactions.perform(req, lambda work: decide(req, work))
            if not began.operation_ids:
                return _accepted(req, began)
            # They end in their order.
            return place.reply_when_ended(began.operation_ids[-1], lambda _ended: _outcome(req, began))

    return handler


def _accepted(req: ApiRequest, began: Began) -> Reply:
    if req.version < microversions.OPERATIONS:
        return Reply(status=202)
    return Reply({"operations": [view.summary(item) for item in _look(req, began)]}, status=202)


def _outcome(req: ApiRequest, began: Began) -> Reply:
    found = _look(req, began)
    failed = next((item for item in found if item.state == State.REVERTED), None)
    if failed is not None:
        raise ChangeFailed(failed.error_message)
    return Reply() if all(item.state == State.SUCCEEDED for item in found) else Reply(status=202)


def _look(req: ApiRequest, began: Began) -> list[Operation]:
    with req.services.db.reader() as session:
        store = req.services.store
        return [store.get_operation(session, began.instance_id, item) for item in began.operation_ids]
