# SPDX-License-Identifier: Apache-2.0
"""Answers as they are sent."""

import http.client

from tornado import httputil

from trove.common import clock
from trove.httpserver.application import Reply

#: Statuses whose answers have no body, and say nothing of its length.
EMPTY = frozenset((204, 304))


def start_line(status: int) -> httputil.ResponseStartLine:
    """Return the first line of an answer."""
    return httputil.ResponseStartLine("HTTP/1.1", status, http.client.responses.get(status, "Status"))


def headers(reply: Reply) -> httputil.HTTPHeaders:
    """Return all headers but those that concern the connection.

    :raises tornado.httputil.HTTPInputError: when one of them cannot be sent.
    """
    found = httputil.HTTPHeaders()
    for name, value in reply.headers:
        found.add(name, value)
    if "Date" not in found:
        found["Date"] = httputil.format_timestamp(clock.timestamp())
    if isinstance(reply.body, bytes) and reply.status not in EMPTY and "Content-Length" not in found:
        found["Content-Length"] = str(len(reply.body))
    return found


def render(reply: Reply, method: str) -> bytes:
    """Return the last answer on a connection, where Tornado has no request to answer.

    :param method: of the request; an answer to HEAD has no body.
    """
    assert isinstance(reply.body, bytes)
    found = headers(reply)
    found["Connection"] = "close"
    line = start_line(reply.status)
    lines = [f"HTTP/1.1 {line.code} {line.reason}", *(f"{name}: {value}" for name, value in found.get_all()), "", ""]
    body = b"" if method == "HEAD" or reply.status in EMPTY else reply.body
    return "\r\n".join(lines).encode("latin-1") + body
