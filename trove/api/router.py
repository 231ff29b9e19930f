# SPDX-License-Identifier: Apache-2.0
"""From a request's path to a row of the route table.

The path is taken as the client wrote it and split at its slashes *before* percent-decoding, once, so that names with
dots, slashes (``%2F``) or percent signs arrive whole. Repeated slashes count as one, because existing clients send
them, and one at the end is accepted. A literal segment wins over a parameter in the same place.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

from trove.common import exception

T = TypeVar("T")


def raw_path(environ: Mapping[str, Any]) -> str:
    """Return the path of a WSGI request, still percent-encoded, without the prefix the application is mounted under.

    PEP 3333 has no place for it. Our own server, mod_wsgi and uWSGI put it into ``REQUEST_URI``, gunicorn into
    ``RAW_URI``; where neither is there, or says something else than ``PATH_INFO`` because a middleware rewrote that,
    ``PATH_INFO`` is encoded again.
    """
    path_info: str = environ.get("PATH_INFO", "")
    uri = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if uri:
        path: str = uri.partition("?")[0]
        if "://" in path:
            path = "/" + path.partition("://")[2].partition("/")[2]
        prefix: str = environ.get("SCRIPT_NAME", "")
        if prefix and path.startswith(prefix):
            path = path[len(prefix) :]
        # mod_wsgi may be set to leave %2F in PATH_INFO as it is.
        if _same(unquote(path, "latin-1"), path_info):
            return path
    return quote(path_info.encode("latin-1"))


def _same(one: str, other: str) -> bool:
    return one == other or re.sub("%2f", "/", one, flags=re.IGNORECASE) == re.sub(
        "%2f", "/", other, flags=re.IGNORECASE
    )


def segments(environ: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the decoded segments of a request's path.

    :raises NotFound: when a segment is not UTF-8 or holds a NUL: nothing has such a name, and not every database
        could be asked.
    """
    try:
        found = tuple(unquote(part, errors="strict") for part in raw_path(environ).split("/") if part)
    except UnicodeDecodeError:
        raise exception.NotFound("The path is not valid UTF-8.") from None
    if any("\0" in part for part in found):
        raise exception.NotFound("The path holds a NUL character.")
    return found


class _Node(Generic[T]):
    __slots__ = ("literals", "methods", "names", "parameter")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.methods: dict[str, T] = {}
        self.names: tuple[str, ...] = ()


class Router(Generic[T]):
    """An immutable tree over path templates.

    :param routes: tuples of method, template such as ``/v1.0/{project_id}/limits``, and what to return for it.
    """

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for method, template, target in routes:
            node, names = self._root, []
            for part in filter(None, template.split("/")):
                if part.startswith("{"):
                    names.append(part[1:-1])
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literals.setdefault(part, _Node())
            if method in node.methods or (node.methods and node.names != tuple(names)):
                raise ValueError(f"{method} {template} clashes with another route")
            node.methods[method], node.names = target, tuple(names)

    def match(self, method: str, path: tuple[str, ...]) -> tuple[T, dict[str, str]]:
        """Return what ``method`` on ``path`` leads to, and the path's parameters.

        :raises NotFound: when no route has this path.
        :raises MethodNotAllowed: when one has, but not with this method; the message names those it has.
        """
        found = self._walk(self._root, path, 0, ())
        if found is None:
            raise exception.NotFound("The path is unknown.")
        node, values = found
        target = node.methods.get(method)
        if target is None:
            allow = sorted(node.methods)
            raise exception.MethodNotAllowed(
                f"The method is not allowed on this resource; use {', '.join(allow)}.", allow=allow
            )
        return target, dict(zip(node.names, values, strict=True))

    def _walk(
        self, node: _Node[T], path: tuple[str, ...], depth: int, values: tuple[str, ...]
    ) -> tuple[_Node[T], tuple[str, ...]] | None:
        if depth == len(path):
            return (node, values) if node.methods else None
        part = path[depth]
        literal = node.literals.get(part)
        if literal is not None and (found := self._walk(literal, path, depth + 1, values)) is not None:
            return found
        if node.parameter is not None:
            return self._walk(node.parameter, path, depth + 1, (*values, part))
        return None
