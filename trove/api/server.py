# SPDX-License-Identifier: Apache-2.0
"""The HTTP server around the application: cheroot, on native threads.

A deployment may as well run :func:`trove.api.app.make_app` under its own WSGI server; this one needs none.
"""

import logging
import threading

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from oslo_config import cfg

from trove.api.middleware import WSGIApp

LOG = logging.getLogger(__name__)

#: Seconds that requests under way may take to end when the server stops.
_SHUTDOWN_TIMEOUT = 10


class ApiServer:
    """One listening server.

    >>> server = ApiServer(conf, make_app(services, conf))                                  # doctest: +SKIP
    >>> server.start()                                                                      # doctest: +SKIP
    >>> server.port                                                                         # doctest: +SKIP
    8779
    """

    def __init__(self, conf: cfg.ConfigOpts, app: WSGIApp) -> None:
        self._server = wsgi.Server(
            (conf.bind_host, conf.bind_port),
            app,
            numthreads=conf.api_threads,
            request_queue_size=conf.api_backlog,
            shutdown_timeout=_SHUTDOWN_TIMEOUT,
            server_name="trove-api",
        )
        self._server.max_request_header_size = conf.max_header_line
        # The application counts too, and answers in JSON; this is for what it never gets to see.
        self._server.max_request_body_size = 0
        self._server.error_log = _log
        if conf.api_cert_file and conf.api_key_file:
            self._server.ssl_adapter = BuiltinSSLAdapter(conf.api_cert_file, conf.api_key_file)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port in force; only after :meth:`start`."""
        return int(self._server.bind_addr[1])

    def start(self) -> None:
        """Listen, and answer in background threads.

        :raises OSError: when the address cannot be had.
        """
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="trove-api", daemon=True)
        self._thread.start()
        LOG.info("The API listens on %s:%d", self._server.bind_addr[0], self.port)

    def stop(self) -> None:
        """Stop listening, let requests under way end, and close. Stopping twice is no error."""
        if self._thread is None:
            return
        self._server.stop()
        self._thread.join(_SHUTDOWN_TIMEOUT)
        self._thread = None


def _log(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    LOG.log(level, "%s", message, exc_info=traceback)
