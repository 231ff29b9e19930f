# SPDX-License-Identifier: Apache-2.0
"""Handlers that change something: one transaction of :mod:`trove.operations.work` on behalf of the request.

>>> @transactions.transactional                                                               # doctest: +SKIP
... def restart(req, work):
...     instance = work.instance(req.path["instance_id"])
...     instance.process_event(work.session, "restart")
...     submitting.submit(work, operations.INSTANCE_RESTART, instance, {})
...     return Reply()
"""

import functools
from collections.abc import Callable
from typing import TypeVar

from trove.api.request import ApiRequest, Reply
from trove.operations import work as operations
from trove.operations.caller import Caller
from trove.operations.work import Work

T = TypeVar("T")


def transactional(decide: Callable[[ApiRequest, Work], Reply]) -> Callable[[ApiRequest], Reply]:
    """Return the handler that runs ``decide`` with :func:`perform`."""

    @functools.wraps(decide)
    def handler(req: ApiRequest) -> Reply:
        return perform(req, lambda work: decide(req, work))

    return handler


def perform(req: ApiRequest, decide: Callable[[Work], T]) -> T:
    """Run ``decide`` with :func:`trove.operations.work.perform` on behalf of the request.

    :raises Conflict: when other transactions came in between every time.
    """
    return operations.perform(req.services, caller(req), decide)


def caller(req: ApiRequest) -> Caller:
    """Return who sends the request."""
    return Caller(
        program="api",
        why=req.route.handler,
        scope=req.scope,
        user_id=req.context.user_id,
        project_id=req.project_id,
        request_id=req.context.request_id,
        client_address=req.context.client_address,
    )
