# SPDX-License-Identifier: Apache-2.0
"""Strategy ``keystone``: callers send a token, and keystonemiddleware has Keystone validate it.

The middleware runs inside the strategy instead of around the application: discovery never asks Keystone, a refusal is
an error document like any other, and what the middleware learns (token, catalogue) ends in a copy of the request's
environment that no handler ever sees.

Validated tokens are remembered for ``[keystone_authtoken] token_cache_time`` seconds: in memcached when
``memcached_servers`` names some, else in this process.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from keystoneauth1 import exceptions as keystone_exception
from keystonemiddleware import auth_token
from oslo_config import cfg

from trove.api.identity import Identity
from trove.common import clock, exception
from trove.common.log_limit import LogLimit

LOG = logging.getLogger(__name__)

_GROUP = "keystone_authtoken"
_CACHE = "trove.token_cache"
_CACHED_TOKENS = 2000
_TOKEN_INFO = "keystone.token_info"
_UNAUTHORIZED = 401


class TokenCache:
    """Validated tokens of one process: bounded, for all threads. The keys are hashes, so no token stands in it.

    Speaks the little of memcached's protocol that the middleware uses.
    """

    def __init__(self, size: int = _CACHED_TOKENS) -> None:
        self._size = size
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return what was stored, unless its time is over."""
        with self._lock:
            until, value = self._entries.get(key, (0.0, b""))
            if clock.monotonic() < until:
                return value
            self._entries.pop(key, None)
            return None

    def set(self, key: str, value: bytes, time: float = 0) -> None:
        """Store ``value`` for ``time`` seconds; one that is not positive stores nothing."""
        if time <= 0:
            return
        with self._lock:
            self._entries[key] = (clock.monotonic() + time, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)


class Keystone:
    """Tokens of a project, or of the system.

    :raises oslo_config.cfg.Error: when group ``[keystone_authtoken]`` does not say who asks Keystone.
    """

    proves_project = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        for group, options in auth_token.list_opts():
            conf.register_opts(options, group)
        # The catalogue is part of what access rules of application credentials are held against.
        overrides: dict[str, Any] = {"delay_auth_decision": False, "include_service_catalog": True}
        self._cache: TokenCache | None = None
        if not conf[_GROUP].memcached_servers and not conf[_GROUP].cache:
            self._cache = TokenCache()
            overrides["cache"] = _CACHE
        if not conf[_GROUP].auth_type and not conf[_GROUP].auth_section:
            raise cfg.Error(
                "auth_strategy is keystone, so set auth_type, auth_url and the credentials of Trove's own user in "
                "[keystone_authtoken]"
            )
        if not conf[_GROUP].service_type:
            # For application credentials with access rules, which name services by type.
            overrides["service_type"] = "database"
        try:
            self._middleware = auth_token.AuthProtocol(_admitted, {"oslo_config_config": conf, **overrides})
        except keystone_exception.ClientException as error:
            raise cfg.Error(f"[keystone_authtoken] cannot be used: {error}") from None
        uri = conf[_GROUP].www_authenticate_uri or getattr(conf[_GROUP], "auth_url", "")
        self.challenge = f'Keystone uri="{uri}"'
        self._failures = LogLimit(LOG)

    def authenticate(self, environ: Mapping[str, Any]) -> Identity:
        """Return the caller whose token stands in the header ``X-Auth-Token``.

        :raises ServiceUnavailable: when Keystone cannot be asked.
        """
        # A copy, because the middleware writes the token's contents into what it is given.
        seen = dict(environ)
        if self._cache is not None:
            seen[_CACHE] = self._cache
        answers: list[int] = []

        def start_response(status: str, _headers: Any, _error: Any = None) -> Callable[[bytes], None]:
            answers.append(int(status.split(" ", 1)[0]))
            return lambda _data: None

        try:
            _consume(self._middleware(seen, start_response))
        except keystone_exception.ClientException as error:
            kind = type(error).__name__
            self._failures.log(logging.ERROR, kind, f"Keystone cannot validate tokens: {kind}")
            answers = [503]
        if answers == [_UNAUTHORIZED]:
            raise exception.Unauthorized("The token is missing, wrong or expired; log in again.")
        if answers != [200]:
            raise exception.ServiceUnavailable("The service cannot reach Keystone at the moment; try again.")
        return _identity(seen)


def _consume(body: Iterable[bytes]) -> None:
    for _ in body:
        pass


def _admitted(_environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Stand in the place of the application: who gets here has a valid token."""
    start_response("200 OK", [])
    return []


def _identity(environ: Mapping[str, Any]) -> Identity:
    # The middleware's header for the system's scope is written again for the token of a service that passes a request
    # on, and would lend that token's scope to the caller; so the scope is read from the caller's token itself.
    system = environ[_TOKEN_INFO]["token"].get("system") or {}
    scope = "all" if system.get("all") else None
    project_id = _header(environ, "PROJECT_ID")
    if scope is None and project_id is None:
        raise exception.Forbidden("The token must be one of a project or of the system; this one is of neither.")
    return Identity(
        user_id=str(_header(environ, "USER_ID")),
        project_id=None if scope else project_id,
        roles=_roles(environ, "ROLES"),
        system_scope=scope,
        user_domain_id=_header(environ, "USER_DOMAIN_ID"),
        project_domain_id=_header(environ, "PROJECT_DOMAIN_ID"),
        is_admin_project=environ.get("HTTP_X_IS_ADMIN_PROJECT") != "False",
        service_roles=_roles(environ, "SERVICE_ROLES"),
    )


def _header(environ: Mapping[str, Any], name: str) -> str | None:
    return environ.get(f"HTTP_X_{name}") or None


def _roles(environ: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(role for role in (environ.get(f"HTTP_X_{name}") or "").split(",") if role)
