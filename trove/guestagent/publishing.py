# SPDX-License-Identifier: Apache-2.0
"""Publish a log: upload what is pending of it, object by object, through the gateway.

The control plane says where each object must begin and refuses any other, so whatever is done twice, because an answer
was lost or an agent killed, is noticed and changes nothing. The engine is not held up meanwhile: of the lock only the
list of files needs a moment. What cannot be uploaded within :data:`SECONDS` stays for the next publication, so that
other commands do not wait for long.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from trove.common import clock
from trove.common.backoff import EXACT, Backoff, Failures
from trove.datastores import spi
from trove.guestagent import log_files
from trove.guestbus import upload_client
from trove.guestbus.transport import TransportError
from trove.guestbus.upload_client import UploadClient
from trove.wire import command

LOG = logging.getLogger(__name__)

#: Seconds that one publication may take.
SECONDS = 30.0
_RETRIES = Backoff(first=0.5, cap=5.0, jitter=EXACT)

_STORED, _CONFLICT, _TOO_LARGE = 204, 409, 413
_REFUSED = frozenset({400, 403, 404})


class Publisher:
    """Carries out :class:`trove.wire.command.PublishLog`.

    :param logs: lists the logs; takes the engine lock for that.
    :param connect: makes the client for a gateway's URL and authority; both ``None``: the one the agent talks to.
    :param pause: waits so many seconds, and returns whether the agent is to stop.
    """

    def __init__(
        self,
        logs: Callable[[], list[spi.EngineLog]],
        connect: Callable[[str | None, str | None], UploadClient],
        pause: Callable[[float], bool],
    ) -> None:
        self._logs = logs
        self._connect = connect
        self._pause = pause

    def publish(self, order: command.PublishLog) -> Mapping[str, Any]:
        """Upload what is pending; the result is described at the command.

        :raises EngineError: when nothing could be uploaded although there is something.
        """
        try:
            client = self._connect(order.url, order.ca)
        except ValueError as err:
            raise spi.EngineError("log.no_gateway", f"The log cannot be published: {err}.") from err
        work = _Publication(order, client, self._files, self._pause)
        work.run()
        LOG.info("published %d bytes of log %s", work.bytes, order.log)
        return {"bytes": work.bytes, "position": work.position, "complete": work.complete}

    def _files(self, name: str) -> spi.EngineLog:
        for log in self._logs():
            if log.name == name:
                return log
        raise spi.EngineError("log.not_found", f"This instance has no log '{name[:64]}'.")


class _Publication:
    """One publication under way."""

    def __init__(
        self,
        order: command.PublishLog,
        client: UploadClient,
        files: Callable[[str], spi.EngineLog],
        pause: Callable[[float], bool],
    ) -> None:
        self._order = order
        self._client = client
        self._files = files
        self._wait = pause
        self._until = clock.monotonic() + SECONDS
        self._failures = Failures(_RETRIES)
        #: Up to where the log is published, as the control plane said last.
        self.position = order.position
        self.bytes = 0
        self.complete = False

    def run(self) -> None:
        """Upload until nothing is left, or time or the ticket has run out."""
        reason = "there was not enough time"
        while clock.monotonic() < self._until:
            found = self._files(self._order.log)
            rest = log_files.remainder(found.paths, self.position)
            if not rest.segments:
                self.complete = True
                return
            outcome = self._upload(rest)
            if outcome == "full":
                return
            if outcome is not None:
                reason = outcome
                if self._wait(min(self._failures.next(), max(0.0, self._until - clock.monotonic()))):
                    break
            else:
                self._failures.reset()
        if not self.bytes:
            raise spi.EngineError("log.not_uploaded", f"Nothing of the log could be uploaded: {reason}; try again.")

    def _upload(self, rest: log_files.Remainder) -> str | None:
        """Upload the next object; return ``None`` to go on at once, ``full`` to end, or why to try again later."""
        try:
            piece = log_files.next_piece(rest.segments[0], self._order.limit)
        except log_files.Truncated:
            return "its files keep changing"
        with piece.stream:
            headers = {
                upload_client.TICKET: self._order.ticket,
                upload_client.BEFORE: self.position or "",
                upload_client.AFTER: piece.after,
            }
            if rest.lost:
                headers[upload_client.RESTARTED] = "1"
            try:
                answer = self._client.put(self._order.ticket_id, headers, piece.blocks(), piece.size)
            except log_files.Truncated:
                return "its files keep changing"
            except TransportError as err:
                LOG.info("an upload of log %s failed: %s", self._order.log, err)
                return "the gateway cannot be reached"
        return self._judge(answer, piece)

    def _judge(self, answer: upload_client.Answer, piece: log_files.Piece) -> str | None:
        if answer.status == _STORED:
            self.bytes += piece.size
            self.position = piece.after
            return None
        if answer.status == _CONFLICT:
            if answer.position == piece.after:  # the one whose answer was lost
                self.bytes += piece.size
            moved = answer.position != self.position
            self.position = answer.position
            return None if moved else "another publication is in progress"
        if answer.status == _TOO_LARGE and self.bytes:
            return "full"
        if answer.status in _REFUSED or answer.status == _TOO_LARGE:
            raise spi.EngineError(
                "log.upload_refused",
                f"The control plane refused the upload ({answer.status}); publish the log again.",
            )
        return f"the gateway answered {answer.status}"
