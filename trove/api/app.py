# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: pecan around the dispatcher, middleware around pecan.

pecan gives the request cycle; its object traversal, its content negotiation and its reading of parameters are not
used, because they would look at a request before its caller is known. The request class shows pecan neither path nor
query nor body, so that it finds the one method of the root controller at once.
"""

import functools
from collections.abc import Iterable

import pecan
import webob
from oslo_config import cfg
from pecan import core as pecan_core
from webob.multidict import MultiDict

from trove.api import authn, dispatch, middleware, routes, schemas
from trove.api.services import Services
from trove.api.validation import Validators


class _Request(pecan_core.Request):  # type: ignore[misc]
    """A request that pecan may look at without consequences.

    By itself pecan parses a JSON body, decodes the query and refuses unknown ``Accept`` headers before it calls a
    controller.
    """

    GET = POST = params = property(lambda self: MultiDict())
    json = property(lambda self: {})
    accept = None
    content_type = ""
    path_info = "/"


@functools.cache
def _validators() -> Validators:
    return Validators(schemas.load())


class RootController:
    """Sends every request to the dispatcher."""

    def __init__(self, dispatcher: dispatch.Dispatcher) -> None:
        self._dispatcher = dispatcher

    @pecan.expose(content_type=dispatch.JSON)
    def index(self, request: webob.Request, response: webob.Response) -> webob.Response:
        """Answer one request of any method and path."""
        return self._dispatcher.answer(request.environ)


def make_app(
    services: Services,
    conf: cfg.ConfigOpts,
    *,
    table: Iterable[routes.Route] = routes.ROUTES,
    observer: dispatch.Observer | None = None,
) -> middleware.WSGIApp:
    """Return the API as a WSGI application.

    :param table: what to serve; tests add routes of their own.
    :param observer: looks at every answer; see :data:`trove.api.dispatch.Observer`.
    :raises OSError, ValueError: when the authentication strategy cannot start, or a route names a schema that does
        not exist.
    """
    dispatcher = dispatch.Dispatcher(
        services, dispatch.resolve(table), _validators(), authn.make_strategy(conf), observer
    )
    app = pecan.make_app(
        RootController(dispatcher),
        use_context_locals=False,
        force_canonical=False,
        guess_content_type_from_ext=False,
        request_cls=_Request,
    )
    return middleware.wrap(app, conf)
