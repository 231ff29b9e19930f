# SPDX-License-Identifier: Apache-2.0
"""One client: its stream, its deadlines and its place in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado import httputil

from trove.common import clock
from trove.httpserver.answers import render
from trove.httpserver.deadlines import Deadlines, Phase
from trove.httpserver.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.http1connection import HTTP1Connection

    from trove.httpserver.application import Application, Reply
    from trove.httpserver.ledger import Ledger
    from trove.httpserver.limits import Limits
    from trove.httpserver.stream import GuardedStream


class Connection(httputil.HTTPServerConnectionDelegate):
    """A connection, from its acceptance to its end.

    :param evict: closes connections that the ledger has given up.
    :param ended: called once, when it has ended.
    :ivar address: host and port of the client; ``("", 0)`` on a UNIX socket.
    :ivar local: host and port that it has reached.
    :ivar last: whether the next answer is the last one.
    :ivar answered: whether an answer has begun.
    :ivar method: of the request under way; empty before its head is complete.
    """

    def __init__(
        self,
        application: Application,
        limits: Limits,
        ledger: Ledger[Connection],
        evict: Callable[[list[Connection]], None],
        ended: Callable[[Connection], None],
    ) -> None:
        self.application = application
        self._limits = limits
        self._ledger = ledger
        self._evict = evict
        self._ended = ended
        self.deadlines = Deadlines(limits, clock.monotonic())
        self.stream: GuardedStream
        self.address: tuple[str, int] = ("", 0)
        self.local: tuple[str, int] = ("localhost", 0)
        self.scheme = "http"
        self.last = False
        self.method = ""
        self._served = False
        self.answered = False
        self._refusal: Reply | None = None

    # What Tornado calls.

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> Exchange:
        """Expect a request."""
        if self._served:
            self.deadlines.enter(Phase.IDLE, clock.monotonic())
            if self.last:
                self.close()
        self._served = True
        self.answered = False
        self._refusal = None
        self.method = ""
        connection: HTTP1Connection = request_conn  # type: ignore[assignment]
        return Exchange(self, connection)

    def on_close(self, server_conn: object) -> None:
        """The connection has ended."""
        self._ledger.close(self)
        self._ended(self)

    # What the stream tells.

    @property
    def linger_bytes(self) -> int:
        return self._limits.linger_bytes

    @property
    def head_bytes(self) -> int:
        return self._limits.head_bytes

    def received(self, count: int) -> None:
        self.deadlines.received(count, clock.monotonic())
        if self.deadlines.phase in (Phase.HEAD, Phase.BODY):
            self._evict(self._ledger.hold(self, count))

    def sent(self, count: int) -> None:
        self.deadlines.sent(count, clock.monotonic())

    def refuse(self, status: int, reason: str) -> None:
        if self._refusal is None:
            self._refusal = self.application.refusal(status, reason)

    def refusal(self) -> bytes:
        self._ledger.give_back(self)
        self.deadlines.enter(Phase.LINGER, clock.monotonic())
        if self.answered:
            return b""
        self.answered = True
        self.refuse(400, "The chunks of the request body are malformed.")
        assert self._refusal is not None
        return render(self._refusal, self.method)

    # What the exchange says.

    def refuse_with(self, reply: Reply) -> None:
        """Send ``reply``, read no more of this client than that takes, and close.

        :raises tornado.httputil.HTTPInputError: always; the caller lets it pass to Tornado.
        """
        self._refusal = reply
        raise httputil.HTTPInputError

    def consumed(self, count: int) -> None:
        """Somebody has taken bytes of an incomplete body."""
        self._ledger.release(self, count)

    def take(self) -> bool:
        """The request is complete. ``False``: too many are answered already."""
        taken = self._ledger.take(self)
        if taken:
            self.deadlines.enter(Phase.BUSY, clock.monotonic())
        return taken

    def answer(self) -> None:
        """An answer begins."""
        self.answered = True
        self._ledger.give_back(self)
        self.deadlines.enter(Phase.ANSWER, clock.monotonic())

    @property
    def busy(self) -> bool:
        """Whether a request is under way that should have its answer before the server stops."""
        return self.deadlines.phase in (Phase.BODY, Phase.BUSY, Phase.ANSWER)

    def close(self) -> None:
        """End the connection at once."""
        self.stream.close()
