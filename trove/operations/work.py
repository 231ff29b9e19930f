# SPDX-License-Identifier: Apache-2.0
"""One transaction on behalf of a caller, and the hints that follow it.

A function that changes something takes a :class:`Work`. It looks up, decides and writes through ``work.session`` and
does nothing else, because :func:`perform` runs it again from the start when another transaction came in between. The
hints go out after the commit: another process must never be told of a row that is not there yet.

>>> def restart(work):                                                                        # doctest: +SKIP
...     instance = work.instance(instance_id)
...     instance.process_event(work.session, "restart")
...     submitting.submit(work, operations.INSTANCE_RESTART, instance, {})
>>> perform(services, caller, restart)                                                        # doctest: +SKIP
"""

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from oslo_config import cfg
from oslo_db import exception as db_exception
from sqlalchemy.orm import Session

from trove.common import clock, exception
from trove.common.backoff import AROUND, Backoff
from trove.objects.instance import Instance
from trove.operations.caller import Caller
from trove.rpc.conductor import Delivers
from trove.rpc.taskmanager import Wakes
from trove.workflow.store import Store

LOG = logging.getLogger(__name__)
T = TypeVar("T")

#: What repeating the whole transaction cures. A lost connection is not among them: nobody knows whether it committed.
_COLLISIONS = (exception.StaleObject, db_exception.DBDeadlock)
#: Seconds that all pauses together may take: a thread sleeps through them.
MOST_PAUSES = 1.0
_REPETITIONS = Backoff(first=0.02, cap=MOST_PAUSES, jitter=AROUND)


class Services(Protocol):
    """What :func:`perform` works with."""

    @property
    def conf(self) -> cfg.ConfigOpts: ...

    @property
    def store(self) -> Store: ...

    @property
    def taskmanager(self) -> Wakes: ...

    @property
    def conductor(self) -> Delivers: ...


@dataclass
class Work:
    """One transaction and the hints that follow it.

    :ivar wakes: ids of workflows that are due when it has committed.
    :ivar deliveries: ids of instances whose guests have commands waiting then.
    """

    caller: Caller
    conf: cfg.ConfigOpts
    store: Store
    session: Session
    wakes: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)

    def now(self) -> datetime.datetime:
        """Return the database's time."""
        return self.store.db.now(self.session)

    def instance(self, instance_id: str) -> Instance:
        """Return an instance that the caller may see.

        :raises InstanceNotFound: otherwise.
        """
        return Instance.get(self.session, self.caller.scope, instance_id)

    def deliver(self, conductor: Delivers) -> None:
        """Send the hints for guests; only after the commit."""
        for instance_id in dict.fromkeys(self.deliveries):
            conductor.deliver(instance_id)

    def wake(self, taskmanager: Wakes) -> None:
        """Send the hints for workers; only after the commit."""
        for workflow_id in dict.fromkeys(self.wakes):
            taskmanager.wake(workflow_id)


def perform(services: Services, caller: Caller, decide: Callable[[Work], T]) -> T:
    """Run ``decide`` in one transaction, send its hints when that has committed, and return what it returned.

    A transaction that collided with another one is repeated, so ``decide`` sees what the other one has written. The
    pauses between the attempts take :data:`MOST_PAUSES` at most.

    :raises Conflict: when it has collided every time.
    """
    attempt, left = 1, MOST_PAUSES
    while True:
        try:
            return _once(services, caller, decide)
        except _COLLISIONS as err:
            if left <= 0 and isinstance(err, exception.StaleObject):
                raise
            if left <= 0:
                raise exception.Conflict("Other requests change the same resource; repeat the request.") from err
            wait = min(left, _REPETITIONS.delay(attempt))
            LOG.info("%s collided: %s; repeating it in %.2f s", caller.why, type(err).__name__, wait)
            clock.sleep(wait)
            attempt, left = attempt + 1, left - wait


def _once(services: Services, caller: Caller, decide: Callable[[Work], T]) -> T:
    with services.store.db.writer() as session:
        work = Work(caller, services.conf, services.store, session)
        answer = decide(work)
    work.deliver(services.conductor)
    work.wake(services.taskmanager)
    return answer
