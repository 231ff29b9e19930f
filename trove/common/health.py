# SPDX-License-Identifier: Apache-2.0
"""What probes of load balancers and supervisors are told, over plain WSGI and without authentication.

``/healthcheck``
    *ready*: 200 when the process can do its work, 503 while it cannot. For whoever sends it requests.
``/healthcheck/live``
    *alive*: 200 whenever anything is answered. For whoever would start it again: a process without its database is
    alive, and a new one would have no database either.

Nothing is logged of a probe, and the body says no more than the status.
"""

from collections.abc import Callable, Iterable
from typing import Any

READY = "/healthcheck"
LIVE = "/healthcheck/live"

StartResponse = Callable[..., object]


class Health:
    """The WSGI application behind both paths.

    :param ready: tells whether the process can do its work; must be cheap and bounded in time.
    :param checks: answers in place of ``OK`` where the process is ready: more checks of an operator's choice.
    """

    def __init__(
        self, ready: Callable[[], bool], checks: Callable[[dict[str, Any], Any], Iterable[bytes]] | None = None
    ) -> None:
        self._ready = ready
        self._checks = checks

    @staticmethod
    def takes(environ: dict[str, Any]) -> bool:
        """Tell whether a request is one of a probe."""
        return environ.get("PATH_INFO", "").rstrip("/") in (READY, LIVE)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").rstrip("/") == LIVE:
            return _answer(environ, start_response, well=True)
        if not self._ready():
            return _answer(environ, start_response, well=False)
        if self._checks is not None:
            return self._checks(environ, start_response)
        return _answer(environ, start_response, well=True)


def _answer(environ: dict[str, Any], start_response: StartResponse, *, well: bool) -> Iterable[bytes]:
    # 204 to HEAD, as oslo.middleware answers it.
    head = environ["REQUEST_METHOD"] == "HEAD"
    status = "503 Service Unavailable" if not well else "204 No Content" if head else "200 OK"
    body = b"" if head else b"OK" if well else b"UNAVAILABLE"
    length = [] if head and well else [("Content-Length", str(len(body)))]
    start_response(status, [("Content-Type", "text/plain; charset=UTF-8"), ("Cache-Control", "no-store"), *length])
    return [body] if body else []
