# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: the dispatcher, and middleware around it."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from trove.api import authn, dispatch, middleware, routes, schemas
from trove.api.services import Services
from trove.api.validation import Validators
from trove.db.probe import Probe


@functools.cache
def _validators() -> Validators:
    return Validators(schemas.load())


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

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answered: Iterable[bytes] = dispatcher.answer(environ)(environ, start_response)
        return answered

    return middleware.wrap(app, conf, Probe(services.db).answers)
