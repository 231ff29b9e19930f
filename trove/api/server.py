# SPDX-License-Identifier: Apache-2.0
"""The HTTP server around the application.

A deployment may as well run :mod:`trove.wsgi` under gunicorn or uWSGI; this one needs none.
"""

import msgspec
from oslo_config import cfg

from trove.api import errors, microversions
from trove.api.middleware import WSGIApp
from trove.common import exception, health, listeners
from trove.httpserver import sockets
from trove.httpserver.application import Accept, Head, Reply, Request
from trove.httpserver.limits import Limits
from trove.httpserver.server import Server
from trove.httpserver.wsgi import WSGIApplication

_ERRORS = {400: exception.BadRequest, 413: exception.RequestTooLarge, 503: exception.ServiceUnavailable}


#: One waits for the database (:mod:`trove.db.probe`) while the other tells what was known before.
_PROBE_THREADS = 2
_PROBES_WAITING = 100


class Application(WSGIApplication):
    """The application, which says whether it is ready and alive even while all of its threads wait, for the database
    perhaps."""

    def __init__(self, app: WSGIApp, conf: cfg.ConfigOpts) -> None:
        super().__init__(
            app,
            refusal,
            max_body=conf.max_request_body_size,
            threads=conf.api_threads,
            queue=conf.api_request_queue,
        )
        self._probes = WSGIApplication(app, refusal, max_body=0, threads=_PROBE_THREADS, queue=_PROBES_WAITING)

    def decide(self, head: Head) -> Accept | Reply:
        """See :class:`~trove.httpserver.application.Application`."""
        if _is(head, health.READY):
            return self._probes.decide(head)
        if not _is(head, health.LIVE):
            return super().decide(head)
        if head.method == "HEAD":
            return Reply(204)
        return Reply(200, [("Content-Type", "text/plain; charset=UTF-8"), ("Cache-Control", "no-store")], b"OK")

    async def answer(self, request: Request) -> Reply:
        """See :class:`~trove.httpserver.application.Application`. A service that refuses requests is not ready."""
        if _is(request.head, health.READY) and not self.full:
            return await self._probes.answer(request)
        return await super().answer(request)


def _is(head: Head, path: str) -> bool:
    return head.path.rstrip("/") == path


class ApiServer(Server):
    """The API's server, as the options describe it.

    >>> server = ApiServer(conf, make_app(services, conf))                                  # doctest: +SKIP
    >>> server.start()                                                                      # doctest: +SKIP
    >>> server.port                                                                         # doctest: +SKIP
    8779
    """

    def __init__(self, conf: cfg.ConfigOpts, app: WSGIApp) -> None:
        tls = (conf.api_cert_file, conf.api_key_file) if conf.api_cert_file and conf.api_key_file else None
        listener = sockets.TCP(conf.bind_host, conf.bind_port, tls, backlog=conf.api_backlog)
        super().__init__([listener], Application(app, conf), limits(conf), name="trove-api")
        self._address = (conf.bind_host, conf.bind_port)

    def start(self) -> None:
        """Listen, and answer in the background.

        :raises CannotListen: when the address cannot be had.
        """
        with listeners.explained(self._address, "[DEFAULT] bind_host or bind_port"):
            super().start()


def limits(conf: cfg.ConfigOpts) -> Limits:
    """Return what clients may take."""
    return Limits(
        head_seconds=conf.api_client_timeout,
        grace_seconds=conf.api_client_timeout,
        head_bytes=conf.max_header_line,
        connections=conf.api_max_connections,
        connections_per_peer=conf.api_max_connections // 2,
    )


def refusal(status: int, reason: str) -> Reply:
    """Return the error document for a request that does not reach the application."""
    if status == 431:  # existing clients know 413 for headers too
        status = 413
    error = _ERRORS.get(status, exception.TroveError)(reason)
    content = msgspec.json.encode(errors.document(error, microversions.MIN))
    return Reply(error.code, [("Content-Type", "application/json")], content)
