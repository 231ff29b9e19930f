# SPDX-License-Identifier: Apache-2.0
"""The guest's side of uploads: content that is too large for an envelope goes to the gateway in a request of its own.

``PUT /v1/guests/{instance_id}/uploads/{ticket id}`` with the ticket's secret in a header; the other side is
:mod:`trove.conductor.uploads`. The content is streamed, so that an agent needs no memory for it. Nothing is repeated
here: an answer that is lost tells nothing, and the caller finds out by asking for the same again.
"""

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trove.guestbus import framing, gateway_client
from trove.guestbus.endpoint import Endpoint
from trove.guestbus.transport import TransportError

#: Names of the headers.
TICKET = "X-Trove-Ticket"
BEFORE = "X-Trove-Log-Before"
AFTER = "X-Trove-Log-After"
RESTARTED = "X-Trove-Log-Restarted"
POSITION = "X-Trove-Log-Position"

#: Bytes read and sent at once.
BLOCK_BYTES = 16 * 1024


@dataclass(frozen=True)
class Answer:
    """What the gateway said: its status and, where it has one, the position that the log is published up to.

    :ivar retry_after: seconds it asked to wait.
    """

    status: int
    position: str | None
    retry_after: float | None


class UploadClient:
    """Uploads of one guest. Not thread-safe; every upload has a connection of its own.

    :param endpoint: where the gateway is, and ``ca``, which authority is trusted: see :class:`Endpoint`.
    :raises ValueError: for an endpoint of another form.
    """

    def __init__(self, endpoint: str, instance_id: str, *, ca: str | None = None, timeout: float = 20.0) -> None:
        self._endpoint = Endpoint(endpoint, ca)
        self._path = f"{self._endpoint.base}/v1/guests/{instance_id}/uploads/"
        self._timeout = timeout

    def put(self, ticket_id: str, headers: Mapping[str, str], content: Iterator[bytes], size: int) -> Answer:
        """Upload ``size`` bytes.

        :raises TransportError: nobody knows whether it arrived. What reading ``content`` raises is raised as it is,
            and it did not.
        """
        connection = self._endpoint.connection(self._timeout)
        try:
            try:
                connection.putrequest("PUT", self._path + ticket_id)
                for name, value in {**headers, "Content-Length": str(size)}.items():
                    connection.putheader(name, value)
                connection.putheader("Content-Type", framing.CONTENT_TYPE)
                connection.endheaders()
            except (OSError, http.client.HTTPException) as err:
                raise TransportError(f"the gateway cannot be reached: {type(err).__name__}") from err
            for block in content:
                try:
                    connection.send(block)
                except OSError:
                    break  # refused in the middle: the answer, if there is one, says why
            try:
                response = connection.getresponse()
                found = response.headers
                response.read(1024)
            except (OSError, http.client.HTTPException) as err:
                raise TransportError(f"the gateway did not answer: {type(err).__name__}") from err
            return Answer(
                response.status, found.get(POSITION) or None, gateway_client.seconds(found.get("Retry-After"))
            )
        finally:
            connection.close()
