# SPDX-License-Identifier: Apache-2.0
"""The pipeline: every request takes the same steps in the same order.

version → route → authenticate → project → rate → policy → media type → JSON → schema → handler → answer

The order is a promise. Who may not make a call learns nothing about its body, so nonsense from a forbidden caller
is 403; and what reaches a handler is complete. An error at any step becomes an error document, in
:mod:`trove.api.errors`; what was not foreseen becomes a 500 that shows only an identifier.
"""

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import webob
from oslo_db import exception as db_exception

from trove.api import authn, authz, body, errors, links, microversions, query, router, waiting
from trove.api.rates import RateLimiter
from trove.api.request import ApiRequest, Reply
from trove.api.routes import Route
from trove.api.services import Services
from trove.api.validation import Validators
from trove.common import clock, exception
from trove.common.context import RequestContext
from trove.common.log_limit import LogLimit
from trove.httpserver import wsgi

LOG = logging.getLogger(__name__)

#: Where the environment has the request id, as oslo.middleware calls it.
REQUEST_ID = "openstack.request_id"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
CONTROLLERS = "trove.api.controllers"
#: First segment of all paths but discovery's.
API_ROOT = "v1.0"
_DEPTH_OF_COLLECTIONS = 3
#: Stands for the project of a caller who has none, in a path that names none.
NO_PROJECT = "system"
#: No project has a longer id, and the database has no room for one.
MAX_PROJECT_ID = 255

Handler = Callable[[ApiRequest], Reply]
#: Looks at every answer before it is sent: route, version, status, content. Tests check schemas with it.
Observer = Callable[[Route | None, microversions.Version, int, bytes], None]


class ObserverError(AssertionError):
    """An observer did not like an answer; passes through all layers."""


@dataclass(frozen=True)
class Target:
    """A route with its handler."""

    route: Route
    handler: Handler


@dataclass
class Exchange:
    """A request on its way through the pipeline.

    :ivar started: on the monotonic clock.
    :ivar wait: what the request waits for, once a handler has said so.
    :ivar context: who asks; ``None`` as long as that is not known.
    """

    started: float
    version: microversions.Version = microversions.MIN
    target: Target | None = None
    context: RequestContext | None = None
    wait: waiting.Wait | None = None


def resolve(routes: Iterable[Route]) -> list[Target]:
    """Return the routes with their handlers.

    :raises ImportError, AttributeError: when a route names a handler that does not exist.
    """
    targets = []
    for route in routes:
        module, _, function = route.handler.partition(":")
        targets.append(Target(route, getattr(importlib.import_module(f"{CONTROLLERS}.{module}"), function)))
    return targets


class Dispatcher:
    """Answers requests. One per process, used by all its threads.

    :param observer: see :data:`Observer`.
    """

    def __init__(
        self,
        services: Services,
        targets: Sequence[Target],
        validators: Validators,
        strategy: authn.Strategy,
        observer: Observer | None = None,
    ) -> None:
        conf = services.conf
        self._services = services
        self._validators = validators
        self._strategy = strategy
        self._observer = observer
        self._rates = RateLimiter(conf)
        self._waits = waiting.Waits(conf, services.db, services.store)
        self._public_endpoint: str | None = conf.public_endpoint
        self._limit = LogLimit(LOG)
        self._max_body: int = conf.max_request_body_size
        self._router = router.Router((target.route.method, target.route.path, target) for target in targets)
        paths = [target.route.path.split("/") for target in targets]
        self._collections = {path[3] for path in paths if path[2:3] == ["{project_id}"]}
        for target in targets:
            route = target.route
            for name in (route.request, route.query, route.response):
                if name is not None and name not in validators:
                    raise ValueError(f"{route.method} {route.path} names schema {name}, which does not exist")

    def answer(self, environ: Mapping[str, Any]) -> webob.Response:
        """Return the answer to a WSGI request; never raises, except what the observer does.

        A request that waits leaves its exchange with the server, which comes with it again when the wait is over; the
        answer until then is for nobody.
        """
        exchange: Exchange = environ.get(wsgi.RESUMED) or Exchange(clock.monotonic())
        try:
            reply = self._reply(environ, exchange)
        except exception.TroveError as error:
            reply = self._refusal(error, exchange.version)
        except db_exception.DBConnectionError as error:
            away = exception.ServiceUnavailable(
                "The service cannot reach its database at the moment; try again.", details=type(error).__name__
            )
            reply = self._refusal(away, exchange.version)
        except Exception:  # boundary: whatever went wrong, the client gets a document and the operator the traceback
            reply = Reply(errors.uncaught(exchange.version), 500)
        if exchange.wait is not None:
            return webob.Response(status=202)
        return self._respond(environ, exchange, reply)

    def _reply(self, environ: Mapping[str, Any], exchange: Exchange) -> Reply:
        if exchange.wait is not None:
            wait, exchange.wait = exchange.wait, None
            if exchange.context is not None:
                exchange.context.update_store()
            return wait.reply()
        exchange.version = microversions.negotiate(environ)
        path = router.segments(environ)
        exchange.target, parameters, path = self._match(environ["REQUEST_METHOD"], path)
        reply = self._run(environ, exchange, exchange.target.route, path, parameters)
        if reply.wait is None:
            return reply
        defer: wsgi.Defer | None = environ.get(wsgi.DEFER)
        if defer is None:
            return reply.wait.block()
        exchange.wait = reply.wait
        reply.wait.start(defer(exchange, reply.wait.cancel))
        return reply

    def _respond(self, environ: Mapping[str, Any], exchange: Exchange, reply: Reply) -> webob.Response:
        route = exchange.target.route if exchange.target else None
        status = reply.status or (route.status if route else 500)
        content = b"" if reply.body is None else msgspec.json.encode(reply.body)
        LOG.info(
            "%s %s: %d in %.1f ms",
            environ["REQUEST_METHOD"],
            route.path if route else "unknown path",
            status,
            (clock.monotonic() - exchange.started) * 1000,
        )
        if self._observer is not None:
            self._observer(route, exchange.version, status, content)
        told = [*microversions.response_headers(exchange.version), *reply.headers.items()]
        if reply.stream is not None and route is not None:
            items = [("Content-Type", route.media or TEXT), *told]
            return webob.Response(status=status, headerlist=items, app_iter=reply.stream)
        return _response(status, content, told)

    def _refusal(self, error: exception.TroveError, version: microversions.Version) -> Reply:
        if error.code == 503:  # told to everybody who asks meanwhile
            self._limit.log(logging.WARNING, error.message, f"{error.symbol}: {error.message} ({error.details})")
        elif error.code >= 500:
            level = logging.ERROR if error.code == 500 else logging.INFO
            LOG.log(level, "%s: %s (%s)", error.symbol, error.message, error.details)
        headers = errors.headers(error)
        if isinstance(error, exception.Unauthorized):
            headers["WWW-Authenticate"] = self._strategy.challenge
        return Reply(errors.document(error, version), error.code, headers=headers)

    def _run(
        self,
        environ: Mapping[str, Any],
        exchange: Exchange,
        route: Route,
        path: tuple[str, ...],
        parameters: dict[str, str],
    ) -> Reply:
        version = exchange.version
        if version < route.min_version or (route.max_version is not None and version > route.max_version):
            raise exception.NotFound("The path is unknown in this version.")
        if route.public:
            context = RequestContext(request_id=environ.get(REQUEST_ID))
        else:
            context = self._identify(environ, route, parameters)
            self._rates.admit(context.project_id, route.method, path)
            self._authorize(route, context)
        exchange.context = context
        assert exchange.target is not None
        return exchange.target.handler(
            ApiRequest(
                context=context,
                version=version,
                path=parameters,
                query=query.parse(
                    environ.get("QUERY_STRING", ""), route.query, version, self._validators,
                    strict=route.method == "DELETE",
                ),
                body=self._body(environ, route, version),
                services=self._services,
                base_url=links.base_url(environ, self._public_endpoint),
                route=route,
                rates=self._rates,
                waits=self._waits,
                parks=wsgi.DEFER in environ,
            )
        )

    def _match(self, method: str, path: tuple[str, ...]) -> tuple[Target, dict[str, str], tuple[str, ...]]:
        # A service catalogue may hold a URL without a project; then the path leaves the caller's own one out.
        if self._strategy.proves_project and path[:1] == (API_ROOT,) and path[1:2] and path[1] in self._collections:
            completed = (API_ROOT, "", *path[1:])
            with contextlib.suppress(exception.NotFound):  # a project may have the name of a collection
                return *self._router.match(method, completed), completed
        return *self._router.match(method, path), path

    def _identify(self, environ: Mapping[str, Any], route: Route, parameters: dict[str, str]) -> RequestContext:
        identity = self._strategy.authenticate(environ)
        if not parameters["project_id"]:
            parameters["project_id"] = identity.project_id or _nobodys_project(route)
        project_id = parameters["project_id"]
        if len(project_id) > MAX_PROJECT_ID:
            raise exception.NotFound("The path is unknown.")
        if identity.project_id is not None and identity.project_id != project_id:
            raise exception.Forbidden("The project in the path is not the one you are authenticated for.")
        context = RequestContext(
            user_id=identity.user_id,
            project_id=project_id,
            roles=list(identity.roles),
            system_scope=identity.system_scope,
            user_domain_id=identity.user_domain_id,
            project_domain_id=identity.project_domain_id,
            is_admin_project=identity.is_admin_project,
            service_roles=list(identity.service_roles),
            request_id=environ.get(REQUEST_ID),
            is_admin=False,
            client_address=environ.get("REMOTE_ADDR"),
        )
        context.is_admin = self._services.enforcer.is_admin(context)
        return context

    def _authorize(self, route: Route, context: RequestContext) -> None:
        enforcer, rules = self._services.enforcer, route.policies
        if not rules or any(enforcer.allows(context, rule, context.project_id) for rule in rules):
            return
        if route.admin:
            raise exception.AdminRequired
        if len(rules) == 1:
            raise authz.refusal(rules[0])
        raise exception.Forbidden(f"Policy allows none of {', '.join(rules)} to be performed.")

    def _body(self, environ: Mapping[str, Any], route: Route, version: microversions.Version) -> Any:
        if route.request is None:
            return None
        data = body.read(environ, self._max_body)
        if not data:
            if route.body_optional:
                return None
            raise exception.BadRequest("The request needs a body.")
        body.check_media_type(environ)
        value = body.parse(data)
        self._validators.check(route.request, value, version)
        return value


def _nobodys_project(route: Route) -> str:
    """Return what stands for the project of somebody whose roles are those of the system.

    :raises BadRequest: when the route makes something, which has to belong to a project.
    """
    if route.method != "GET" and route.path.count("/") == _DEPTH_OF_COLLECTIONS:
        raise exception.BadRequest(
            "A token of the system belongs to no project, so the path must name the one this is for: "
            "/v1.0/PROJECT_ID/..."
        )
    return NO_PROJECT


def _response(status: int, content: bytes, headers: list[tuple[str, str]]) -> webob.Response:
    items = headers if status == 204 else [("Content-Type", JSON), ("Content-Length", str(len(content))), *headers]
    return webob.Response(status=status, headerlist=items, app_iter=[content] if content else [])
