# SPDX-License-Identifier: Apache-2.0
"""Microversions: the header ``OpenStack-API-Version: database 1.x`` selects how a request is read and answered.

Absent means 1.0, which is the API that existing clients know and never changes. ``latest`` means the newest.

History:

* 1.0: the existing API.
* 1.1: errors carry a stable ``symbol``; unknown members of bodies and unknown query parameters are refused;
  operations of an instance.
* 1.2: an instance whose configuration or access is being changed reads UPDATING instead of ACTIVE; history
  of configuration groups; quotas per datastore; the content of
  published logs.
* 1.3: a change inside a database (databases, users, access, disabling root) is answered at once, with 202 and the
  operations that it began; operators see which provider holds an instance, and where.
"""

from collections.abc import Mapping
from typing import Any

import microversion_parse

from trove.common import exception

SERVICE_TYPE = "database"
HEADER = "OpenStack-API-Version"

Version = microversion_parse.Version

MIN = Version(1, 0)
MAX = Version(1, 3)

#: The first version that answers with symbols and refuses what it does not know.
STRICT = Version(1, 1)
#: The first version that knows every status, histories of configuration groups, and quotas per datastore.
DETAILED = Version(1, 2)
#: The first version that answers a change inside a database with its operations, and tells operators of placements.
OPERATIONS = Version(1, 3)


def parse(text: str) -> Version:
    """Return the version that ``text`` such as ``1.1`` names.

    :raises TypeError: when it names none.
    """
    return microversion_parse.parse_version_string(text)


def negotiate(environ: Mapping[str, Any]) -> Version:
    """Return the version a WSGI request asks for.

    :raises BadRequest: when the header cannot be read.
    :raises NotAcceptable: when the version is not supported; the message names the range.
    """
    header = environ.get("HTTP_OPENSTACK_API_VERSION")
    if header is None:
        return MIN
    text = microversion_parse.get_version({HEADER.lower(): header}, SERVICE_TYPE)
    if text is None:
        return MIN
    if text.lower() == "latest":
        return MAX
    try:
        version = parse(text)
    except TypeError:
        raise exception.BadRequest(f"The header {HEADER} must read '{SERVICE_TYPE} <major>.<minor>'.") from None
    if not MIN <= version <= MAX:
        raise exception.NotAcceptable(f"Version {version} is not supported; use {MIN} to {MAX}.")
    return version


def response_headers(version: Version) -> list[tuple[str, str]]:
    """Return the headers that tell a client and its caches which version answered."""
    return [(HEADER, f"{SERVICE_TYPE} {version}"), ("Vary", HEADER)]
