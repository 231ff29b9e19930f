# SPDX-License-Identifier: Apache-2.0
"""The API for other WSGI servers: ``gunicorn trove.wsgi:application``, ``uwsgi --module trove.wsgi:application``.

The configuration is read when the module is loaded, from the files that ``OS_TROVE_CONFIG_FILES`` names, separated by
semicolons, or else from the default ones; so a mistake in it ends the server's start. Connections and threads do not
survive a fork: a process that a server has forked after loading the module makes its own application.
"""

from trove.common.threads import use_native_threads

use_native_threads()

import atexit  # noqa: E402
import functools  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from typing import Any  # noqa: E402

from trove.api.middleware import WSGIApp  # noqa: E402
from trove.cmd import api, startup  # noqa: E402
from trove.cmd.presence import Presence  # noqa: E402

_CONFIG_FILES = "OS_TROVE_CONFIG_FILES"
_lock = threading.Lock()


@functools.cache
def _make(pid: int) -> tuple[WSGIApp, Presence]:
    files = [name for name in os.environ.get(_CONFIG_FILES, "").split(";") if name]
    return api.load(startup.configure("trove-api", [], files=files or None))


@functools.cache
def _serving(pid: int) -> WSGIApp:
    # Not before the first request: the process that loads the module may be one that is forked, and a thread that runs
    # meanwhile leaves its locks held in the process that it is not in.
    application, presence = _make(pid)
    presence.start()
    atexit.register(_leave, presence, pid)
    return application


def _leave(presence: Presence, pid: int) -> None:
    if os.getpid() == pid:  # a process that was forked from this one has inherited the call
        presence.stop()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request (PEP 3333)."""
    with _lock:  # the cache alone would let two threads make one each
        serving = _serving(os.getpid())
    return serving(environ, start_response)


_make(os.getpid())
