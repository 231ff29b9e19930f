# SPDX-License-Identifier: Apache-2.0
"""The WSGI layers around the application: request id, last safety net, health, proxies, browsers of other origins.

The last three are oslo.middleware's own. Those that an operator has not switched on are left out, because each costs
every request.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_middleware import cors, healthcheck, http_proxy_to_wsgi
from oslo_middleware.healthcheck import opts as health_opts

from trove.api import errors, microversions
from trove.api.dispatch import REQUEST_ID, Exchange, ObserverError
from trove.common import health
from trove.common.context import RequestContext
from trove.httpserver import wsgi

LOG = logging.getLogger(__name__)

WSGIApp = Callable[..., Iterable[bytes]]


class RequestId:
    """Gives each request an id and the thread a context that holds nothing else, so that what is logged before the
    caller is known is not logged as the caller before. The id comes back as a header, as with oslo.middleware."""

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        resumed: Exchange | None = environ.get(wsgi.RESUMED)
        if resumed is not None and resumed.context is not None:
            request_id = resumed.context.request_id
        else:
            request_id = oslo_context.generate_request_id()
        environ[REQUEST_ID] = request_id
        RequestContext(request_id=request_id)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("x-openstack-request-id", request_id)], exc_info)

        return self._app(environ, start)


class SafetyNet:
    """Turns what escaped the application (a defect of a layer, not of a handler) into a JSON 500."""

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return self._app(environ, start_response)
        except ObserverError:
            raise
        except Exception:  # boundary: the client gets a document, the operator the traceback
            content = msgspec.json.encode(errors.uncaught(microversions.MIN))
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
            start_response("500 Internal Server Error", headers)
            return [content]


class Probes:
    """Answers probes (:mod:`trove.common.health`) before anything else does."""

    def __init__(self, app: WSGIApp, probes: health.Health) -> None:
        self._app, self._probes = app, probes

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return (self._probes if self._probes.takes(environ) else self._app)(environ, start_response)


def wrap(app: WSGIApp, conf: cfg.ConfigOpts, ready: Callable[[], bool]) -> WSGIApp:
    """Return ``app`` inside all layers.

    :param ready: tells whether requests can be served; see :class:`trove.common.health.Health`.
    """
    app = SafetyNet(app)
    app = Probes(app, health.Health(ready, _checks(app, conf)))
    # Both options are registered by the layer they belong to, so the layer is made before it is known whether it is
    # wanted.
    proxied = http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)
    if conf.oslo_middleware.enable_proxy_headers_parsing:
        app = proxied
    shared = cors.CORS(app, conf)
    return RequestId(shared if conf.cors.allowed_origin else app)


def _checks(app: WSGIApp, conf: cfg.ConfigOpts) -> WSGIApp | None:
    """Return oslo.middleware's health check where an operator has asked for anything of it, else ``None``: it
    compiles a template for each answer."""
    conf.register_opts(health_opts.HEALTHCHECK_OPTS, "healthcheck")
    conf.register_opts(health_opts.DISABLE_BY_FILE_OPTS, "healthcheck")
    options = conf.healthcheck
    if options.disable_by_file_path:
        # A load balancer drains a process when the operator makes that file. Without the option this check logs a
        # warning of each probe.
        conf.set_default("backends", ["disable_by_file"], "healthcheck")
    if options.backends or options.allowed_source_ranges or options.ignore_proxied_requests or options.detailed:
        checked: WSGIApp = healthcheck.Healthcheck(app, conf)
        return checked
    return None
