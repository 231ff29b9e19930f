# SPDX-License-Identifier: Apache-2.0
"""The gateway: guests dial out to it over HTTPS, hand in reports and wait for commands.

``POST /v1/guests/{instance_id}/exchange`` with one envelope as the body. Answers:

* 200: any number of envelopes, each behind its length (:mod:`trove.guestbus.framing`); to a poll that was not held also
  the header ``X-Trove-Poll-After``, the seconds (with a fraction) after which to poll again;
* 400: not a request of this kind; 413: too large; 403: refused, and it will be refused again;
* 503 with ``Retry-After``: the database does not answer now.

``PUT /v1/guests/{instance_id}/uploads/{ticket id}``: see :mod:`trove.conductor.uploads`. ``GET /healthcheck`` and
``GET /healthcheck/live``: see :mod:`trove.common.health`.

TLS hides who speaks and when; what is said is sealed anyway. It is required on every address but loopback, and means
nothing on a UNIX socket.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from trove.common import clock, health, listeners
from trove.conductor import poll, sealing
from trove.conductor.gateway_server import GatewayServer, LocalServer, unhurried
from trove.conductor.intake import Intake, Received
from trove.conductor.outbox import Outbox, Superseded
from trove.conductor.sealing import Refused
from trove.conductor.uploads import Uploads
from trove.conf.guest import gateway_port
from trove.guestbus import envelope, framing

LOG = logging.getLogger(__name__)

_PATH = re.compile(r"/v1/guests/([0-9A-Za-z-]{1,36})/exchange\Z")
_UPLOAD = re.compile(r"/v1/guests/([0-9A-Za-z-]{1,36})/uploads/([0-9A-Za-z-]{1,36})\Z")
#: A held poll looks at the database this often (seconds), in case the hint was lost.
_RECHECK = 5.0
_STATUS = {
    200: "200 OK",
    204: "204 No Content",
    400: "400 Bad Request",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    409: "409 Conflict",
    413: "413 Content Too Large",
    503: "503 Service Unavailable",
}

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], object]


class InsecureGateway(Exception):
    """The gateway would be reachable from other machines without TLS; the service must not start."""


class _Answer(Exception):
    """Ends a request with a status other than 200 and no body."""

    def __init__(self, status: int, headers: Headers | None = None) -> None:
        super().__init__(_STATUS[status])
        self.status = status
        self.headers = headers or []


class Gateway:
    """The WSGI application and its servers: one on the address of ``gateway_bind_host``, one more with TLS where
    ``gateway_tls_bind_host`` names another, and one on the UNIX socket ``gateway_socket``.

    :param uploads: takes what guests upload; ``None``: uploads are refused.
    :param ready: what probes are told (:mod:`trove.common.health`).
    :ivar port: where it listens, once started.
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
        self._health = health.Health(ready)
        self._uploads = uploads
        self._intake = intake
        self._outbox = outbox
        self._max_wait = float(options.gateway_max_wait)
        self._host = str(options.gateway_bind_host)
        self.port = gateway_port(conf)
        self._tls: tuple[str, str] | None = None
        if options.gateway_cert_file and options.gateway_key_file:
            self._tls = (options.gateway_cert_file, options.gateway_key_file)
        elif not framing.is_loopback(self._host):
            raise InsecureGateway(
                f"the guest gateway on {self._host} needs TLS: set [guest_bus] gateway_cert_file and gateway_key_file"
            )
        threads = int(options.gateway_threads)
        self._polls = poll.HeldPolls(threads // 2)
        # Guests on a host's bridge need TLS, while those on its loopback were told a plain address for life.
        both = self._tls is not None and options.gateway_tls_bind_host is not None
        self.server = GatewayServer(
            (self._host, self.port), self.app, threads=threads, tls=None if both else self._tls
        )
        self._servers = [self.server]
        if options.gateway_tls_bind_host is not None:
            self._servers.append(self._second(options, threads))
        if options.gateway_socket:
            self._servers.append(LocalServer(options.gateway_socket, self.app, threads=threads))
        self._threads: list[threading.Thread] = []

    def _second(self, options: Any, threads: int) -> GatewayServer:
        if self._tls is None:
            raise InsecureGateway(
                "[guest_bus] gateway_tls_bind_host needs gateway_cert_file and gateway_key_file"
            )
        if not framing.is_loopback(self._host):
            raise InsecureGateway("with [guest_bus] gateway_tls_bind_host, gateway_bind_host must be loopback")
        return GatewayServer((options.gateway_tls_bind_host, self.port), self.app, threads=threads, tls=self._tls)

    @property
    def url(self) -> str:
        """Base URL for clients on this host."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self.server.ssl_adapter is None else 'https'}://{host}:{self.port}"

    def start(self) -> None:
        """Bind and serve in a thread of its own.

        :raises CannotListen: when the address cannot be bound.
        """
        prepared = []
        try:
            for server in self._servers:
                if self._uploads is not None:
                    server.max_request_body_size = max(server.max_request_body_size, self._uploads.limit)
                server.use_port(self.port)  # a free port, once the first has found one
                with listeners.explained(server.bind_addr, "[guest_bus] gateway_bind_host or gateway_bind_port"):
                    server.prepare()
                prepared.append(server)
                self.port = server.port or self.port
        except BaseException:
            for server in prepared:  # they have threads already, which would keep the process from ending
                server.stop()
            raise
        for server in self._servers:
            server.watchdog.start()
            self._threads.append(threading.Thread(target=server.serve, name="gateway", daemon=True))
            self._threads[-1].start()
        LOG.info("The guests' gateway listens at %s", self.url)

    def stop(self) -> None:
        """End held polls and stop serving, within about ten seconds. Safe to repeat."""
        self._polls.close()
        if not self._threads:
            return
        for server in self._servers:
            server.stop()
            server.watchdog.stop()
        for thread in self._threads:
            thread.join(10)
        self._threads = []

    def deliver(self, instance_id: str) -> None:
        """There may be a command for this guest: look, if its poll is held here."""
        self._polls.tell(instance_id)

    # -- the application --------------------------------------------------------------------------------------------

    def app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """WSGI entry point."""
        if self._health.takes(environ):
            return self._health(environ, start_response)
        try:
            upload = _UPLOAD.match(environ.get("PATH_INFO", ""))
            if upload is not None:
                body = b""
                status, headers = self._upload(environ, upload[1], upload[2])
            else:
                headers, body = self._exchange(environ)
                status = 200
        except _Answer as answer:
            status, headers, body = answer.status, answer.headers, b""
        except Exception as err:  # boundary: whatever fails here, the guest sends again later
            LOG.error("an exchange failed: %s", sealing.describe(err))
            status, headers, body = 503, [("Retry-After", "5")], b""
        if status != 204:
            headers += [("Content-Type", framing.CONTENT_TYPE), ("Content-Length", str(len(body)))]
        start_response(_STATUS[status], headers)
        return [body]

    def _upload(self, environ: dict[str, Any], instance_id: str, ticket_id: str) -> tuple[int, Headers]:
        if environ.get("REQUEST_METHOD") != "PUT":
            raise _Answer(405, [("Allow", "PUT")])
        if self._uploads is None:
            raise _Answer(403)
        return self._uploads.put(instance_id, ticket_id, environ)

    def _exchange(self, environ: dict[str, Any]) -> tuple[Headers, bytes]:
        instance_id = _instance_of(environ)
        data = _read(environ)
        try:
            if envelope.peek(data).instance_id != instance_id:
                raise _Answer(400)
            received = self._intake.take(data)
        except envelope.EnvelopeError:
            raise _Answer(400) from None
        except Refused:
            raise _Answer(403) from None
        self._polls.end_older(instance_id, received.boot)
        if received.poll_wait is None:
            return [], framing.join(received.replies)
        try:
            return self._commands(received, min(received.poll_wait, self._max_wait))
        finally:
            self._intake.wake(received.wake)

    def _commands(self, received: Received, wait: float) -> tuple[Headers, bytes]:
        """Answer a poll: what is due now, or what becomes due while it is held.

        A poll may outlive the agent that asked. It takes nothing once the next agent has said hello, to whichever
        conductor that was, and ends when that is noticed.
        """
        try:
            return self._commands_of_boot(received, wait)
        except Superseded:
            return [], framing.join(received.replies)

    def _commands_of_boot(self, received: Received, wait: float) -> tuple[Headers, bytes]:
        instance_id, boot = received.instance_id, received.boot
        found = self._outbox.envelopes_for(instance_id, boot=boot, enrolled=received.enrolled)
        if found or received.replies or wait <= 0:
            return [], framing.join([*received.replies, *found])
        place = self._polls.hold(instance_id, boot)
        if place is None:
            return [("X-Trove-Poll-After", f"{self._polls.poll_after():.2f}")], b""
        until = clock.monotonic() + wait
        with unhurried(), place as ticket:
            # Looked before the place was taken; a command committed in between gave its hint to nobody.
            found = self._outbox.envelopes_for(instance_id, boot=boot)
            while not found and not ticket.over and (left := until - clock.monotonic()) > 0:
                ticket.wait(min(left, _RECHECK))
                if not ticket.over:
                    found = self._outbox.envelopes_for(instance_id, boot=boot)
        return [], framing.join(found)


def _instance_of(environ: dict[str, Any]) -> str:
    match = _PATH.match(environ.get("PATH_INFO", ""))
    if match is None:
        raise _Answer(404)
    if environ.get("REQUEST_METHOD") != "POST":
        raise _Answer(405, [("Allow", "POST")])
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != framing.CONTENT_TYPE:
        raise _Answer(400)
    return match.group(1)


def _read(environ: dict[str, Any]) -> bytes:
    """Return the body; it must come with its length."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or "")
    except ValueError:
        raise _Answer(400) from None
    if length > envelope.MAX_BYTES:
        raise _Answer(413)
    data: bytes = environ["wsgi.input"].read(length) if length > 0 else b""
    if len(data) != length or not data:
        raise _Answer(400)
    return data
