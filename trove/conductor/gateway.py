# SPDX-License-Identifier: Apache-2.0
"""The gateway: guests dial out to it over HTTPS, hand in reports and wait for commands.

``POST /v1/guests/{instance_id}/exchange`` with one envelope as the body. Answers:

* 200: any number of envelopes, each behind its length (:mod:`trove.guestbus.framing`), and with
  ``X-Trove-Heartbeat: taken`` when a poll was a heartbeat too;
* 400: not a request of this kind; 413: too large; 403: refused, and it will be refused again;
* 429 with ``Retry-After``: the guest says more than it may;
* 503 with ``Retry-After``: too much to do, or the database does not answer now.

``PUT /v1/guests/{instance_id}/uploads/{ticket id}``: see :mod:`trove.conductor.uploads`. ``GET /healthcheck`` and
``GET /healthcheck/live``: see :mod:`trove.common.health`.

TLS hides who speaks and when; what is said is sealed anyway. It is required on every address but loopback, and means
nothing on a UNIX socket.
"""

import asyncio
import logging
import math
import re
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from trove.common import health, listeners
from trove.common.log_limit import LogLimit
from trove.conductor import sealing
from trove.conductor.exchange import Exchange, Malformed
from trove.conductor.intake import Intake, Throttled
from trove.conductor.outbox import Outbox
from trove.conductor.sealing import Refused
from trove.conductor.uploads import Uploads
from trove.conductor.workers import Busy, Workers
from trove.conf.guest import gateway_port
from trove.guestbus import envelope, framing
from trove.httpserver import sockets
from trove.httpserver.application import Accept, BodyReader, Head, Reply, Request
from trove.httpserver.limits import Limits
from trove.httpserver.server import Server

LOG = logging.getLogger(__name__)

_PATH = re.compile(r"/v1/guests/([0-9A-Za-z-]{1,36})/exchange\Z")
_UPLOAD = re.compile(r"/v1/guests/([0-9A-Za-z-]{1,36})/uploads/([0-9A-Za-z-]{1,36})\Z")
#: Seconds after which to come again, when there is too much to do and when the database does not answer.
_BUSY_AFTER, _BROKEN_AFTER = "2", "5"
#: Connections beyond two of each guest, for those that are just being made or just being left.
_MORE_CONNECTIONS = 1000
_BINARY = ("Content-Type", framing.CONTENT_TYPE)


class InsecureGateway(Exception):
    """The gateway would be reachable from other machines without TLS; the service must not start."""


class Gateway:
    """The application and its server: on the address of ``gateway_bind_host``, with TLS on that of
    ``gateway_tls_bind_host`` where that names another, and on the UNIX socket ``gateway_socket``.

    :param uploads: takes what guests upload; ``None``: uploads are refused.
    :param ready: what probes are told (:mod:`trove.common.health`).
    :raises InsecureGateway: without certificate and key on an address that is not loopback.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        intake: Intake,
        outbox: Outbox,
        uploads: Uploads | None = None,
        *,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        options = conf.guest_bus
        self._host = str(options.gateway_bind_host)
        self._port = gateway_port(conf)
        addresses = _listeners(options, self._port)
        self._plain = addresses[0].tls is None
        places = int(options.gateway_max_guests)
        self._exchange = Exchange(
            intake,
            outbox,
            places=places,
            threads=int(options.gateway_threads),
            max_wait=float(options.gateway_max_wait),
        )
        self._application = Application(self._exchange, uploads, health.Health(ready))
        connections = 2 * places + _MORE_CONNECTIONS
        # Guests may all come from one address, so that one peer gets no fewer than all of them. Which connections have
        # to go when there are too many, the server decides: not those that hold a poll.
        limits = Limits(connections=connections, connections_per_peer=connections)
        self._server = Server(addresses, self._application, limits, name="gateway")

    @property
    def port(self) -> int:
        """Where it listens."""
        try:
            return self._server.port
        except LookupError:
            return self._port

    @property
    def url(self) -> str:
        """Base URL for clients on this host."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self._plain else 'https'}://{host}:{self.port}"

    @property
    def held(self) -> int:
        """How many polls are held."""
        return len(self._exchange.polls)

    def start(self) -> None:
        """Bind and serve in a thread of its own.

        :raises CannotListen: when an address cannot be bound.
        """
        with listeners.explained((self._host, self._port), "[guest_bus] gateway_bind_host or gateway_bind_port"):
            self._server.start()
        self._port = self._server.port
        LOG.info("The guests' gateway listens at %s", self.url)

    def stop(self) -> None:
        """End held polls and stop serving, within about fifteen seconds. Safe to repeat."""
        self._server.stop()
        self._application.close()

    def deliver(self, instance_id: str) -> None:
        """There may be a command for this guest: look, if its poll is held here."""
        self._exchange.deliver(instance_id)


class Application:
    """What the server asks; see :class:`trove.httpserver.application.Application`."""

    def __init__(self, exchange: Exchange, uploads: Uploads | None, probes: health.Health) -> None:
        self._exchange = exchange
        self._uploads = uploads
        self._probes = probes
        self._started = False
        # Thousands of guests come again while the database is away.
        self._failures = LogLimit(LOG)
        slots = 1 if uploads is None else uploads.slots
        self._upload_workers = Workers("guest-upload", slots, 0)

    def decide(self, head: Head) -> Accept | Reply:
        """Say whether a request is one of ours, before its body is read."""
        if self._probes.takes({"PATH_INFO": head.path}):
            return self._probe(head)
        if _UPLOAD.match(head.path):
            if head.method != "PUT":
                return Reply(405, [("Allow", "PUT")])
            return Reply(403) if self._uploads is None else Accept(self._uploads.limit, stream=True)
        if not _PATH.match(head.path):
            return Reply(404)
        if head.method != "POST":
            return Reply(405, [("Allow", "POST")])
        if head.headers.get("Content-Type", "").partition(";")[0].strip() != framing.CONTENT_TYPE:
            return Reply(400)
        if not head.length:  # an envelope comes with its size, not in chunks
            return Reply(400)
        return Reply(413) if head.length > envelope.MAX_BYTES else Accept(envelope.MAX_BYTES)

    async def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if not self._started:
            self._started = True
            self._exchange.start(asyncio.get_running_loop())
        try:
            upload = _UPLOAD.match(request.head.path)
            if upload is not None:
                return await self._upload(request, upload[1], upload[2])
            match = _PATH.match(request.head.path)
            assert match is not None and isinstance(request.body, bytes)  # it was accepted
            taking = self._exchange.take(match[1], request.body)
            del request, match  # a poll is held for long, and there are many
            envelopes, heartbeat_taken = await taking
            headers = [_BINARY, framing.HEARTBEAT_HEADER] if heartbeat_taken else [_BINARY]
            return Reply(200, headers, framing.join(envelopes))
        except Malformed:
            return Reply(400)
        except Refused:
            return Reply(403)
        except Throttled as err:
            return Reply(429, [("Retry-After", str(math.ceil(err.retry_after)))])
        except Busy:
            return Reply(503, [("Retry-After", _BUSY_AFTER)])
        except Exception as err:  # boundary: whatever fails here, the guest sends again later
            self._failures.log(logging.ERROR, type(err).__name__, f"an exchange failed: {sealing.describe(err)}")
            return Reply(503, [("Retry-After", _BROKEN_AFTER)])

    def refusal(self, status: int, reason: str) -> Reply:
        """Answer what is no request; guests have no use for a reason."""
        return Reply(status)

    def stopping(self) -> None:
        """End what is held."""
        self._exchange.stop()

    def close(self) -> None:
        """Take no more work."""
        self._exchange.close()
        self._upload_workers.stop()

    def _probe(self, head: Head) -> Reply:
        said: list[Any] = []
        environ = {"PATH_INFO": head.path, "REQUEST_METHOD": head.method}
        body = b"".join(self._probes(environ, lambda status, headers: said.extend((status, headers))))
        return Reply(int(said[0].partition(" ")[0]), said[1], body)

    async def _upload(self, request: Request, instance_id: str, ticket_id: str) -> Reply:
        assert self._uploads is not None and isinstance(request.body, BodyReader)  # it was accepted
        status, headers = await self._upload_workers.run(
            self._uploads.put, instance_id, ticket_id, request.head.headers, request.body
        )
        return Reply(status, headers)


def _listeners(options: Any, port: int) -> list[sockets.Listener]:
    """Return where to listen, the main address first.

    :raises InsecureGateway: see :class:`Gateway`.
    """
    host = str(options.gateway_bind_host)
    tls: tuple[str, str] | None = None
    if options.gateway_cert_file and options.gateway_key_file:
        tls = (options.gateway_cert_file, options.gateway_key_file)
    elif not framing.is_loopback(host):
        raise InsecureGateway(
            f"the guest gateway on {host} needs TLS: set [guest_bus] gateway_cert_file and gateway_key_file"
        )
    second = options.gateway_tls_bind_host
    # Guests on a host's bridge need TLS, while those on its loopback were told a plain address for life.
    found: list[sockets.Listener] = [sockets.TCP(host, port, None if tls and second is not None else tls)]
    if second is not None:
        if tls is None:
            raise InsecureGateway("[guest_bus] gateway_tls_bind_host needs gateway_cert_file and gateway_key_file")
        if not framing.is_loopback(host):
            raise InsecureGateway("with [guest_bus] gateway_tls_bind_host, gateway_bind_host must be loopback")
        found.append(sockets.TCP(second, port, tls))
    if options.gateway_socket:
        found.append(sockets.Unix(options.gateway_socket))
    return found
