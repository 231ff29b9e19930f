# SPDX-License-Identifier: Apache-2.0
"""Waiting within a request for the end of a short operation, where existing clients expect the outcome in the answer.

It is the one thing for which a request waits, and it waits for rows: the guest answers the conductor, never the API.
"""

from trove.api.request import ApiRequest
from trove.common import clock
from trove.workflow.listing import Operation
from trove.workflow.model import FINAL

#: Seconds that a request waits at most.
SECONDS = 10.0
_POLL_SECONDS = 0.03


def for_end(req: ApiRequest, instance_id: str, operation_id: str) -> Operation | None:
    """Return an operation of an instance when it has ended; ``None`` when it takes longer than :data:`SECONDS`."""
    give_up = clock.monotonic() + SECONDS
    while clock.monotonic() < give_up:
        with req.services.db.reader() as session:
            operation: Operation = req.services.store.get_operation(session, instance_id, operation_id)
        if operation.state in FINAL:
            return operation
        clock.sleep(_POLL_SECONDS)
    return None
