# SPDX-License-Identifier: Apache-2.0
"""Where a request ends: the rules of RFC 9112 without any of its allowances.

Two programs that read the same bytes as different requests, a proxy and this server say, are how requests are
smuggled. Tornado is strict about chunks; about heads it accepts what the RFC lets a recipient tolerate. So heads are
checked here first: lines end with CRLF, a name is followed by its colon, the length is said once and in digits, or by
the one known transfer coding, and a host is named.
"""

import re

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# Possessive quantifiers: what does not match is known after one pass.
_HEAD = re.compile(
    rb"(?:\r\n)?" + _TOKEN + rb"{1,32}+ (?P<target>[\x21-\x7e]++) HTTP/1\.(?P<minor>[01])\r\n"
    rb"(?:" + _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding|host|expect):[\t ]*+([^\r]*+)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_HOST = re.compile(rb"[0-9A-Za-z\-._~!$&'()*+,;=%\[\]:]*")
_TARGET = re.compile(rb"/.*|https?://[^/?#@]+(?:[/?].*)?|\*", re.IGNORECASE)


class Malformed(Exception):
    """A request that is refused because of its head; the text says why and shows nothing of it."""


def check(head: bytes) -> None:
    """Check request line and headers up to the empty line.

    :raises Malformed: with the first fault.
    """
    parts = _HEAD.fullmatch(head)
    if parts is None:
        raise Malformed("The request line or a header line is malformed.")
    if _TARGET.fullmatch(parts["target"]) is None:
        raise Malformed("The request target must be a path or an http URL.")
    found: dict[bytes, list[bytes]] = {}
    for name, value in _FRAMING.findall(head):
        found.setdefault(name.lower(), []).append(value.rstrip(b"\t "))
    lengths, codings = found.get(b"content-length", []), found.get(b"transfer-encoding", [])
    hosts = found.get(b"host", [])
    if len(lengths) + len(codings) > 1:
        raise Malformed("The request states its length more than once.")
    if lengths and _LENGTH.fullmatch(lengths[0]) is None:
        raise Malformed("The header Content-Length must be a number in digits.")
    if codings and (codings[0].lower() != b"chunked" or parts["minor"] == b"0"):
        raise Malformed("The only transfer coding of requests is chunked, in HTTP/1.1.")
    if len(hosts) > 1 or (not hosts and parts["minor"] == b"1"):
        raise Malformed("The request must have one header Host.")
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        raise Malformed("The header Host is malformed.")
    if parts["minor"] == b"1" and any(value.lower() != b"100-continue" for value in found.get(b"expect", [])):
        raise Malformed("The only expectation that can be met is 100-continue.")
