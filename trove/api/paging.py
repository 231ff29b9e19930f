# SPDX-License-Identifier: Apache-2.0
"""Pages of a collection.

A handler asks for one row more than a page has; if it comes, there is a next page and the document gets a ``links``
member, and the same once more as ``instances_links``, which is where gophercloud looks for it. Asking for more than the
option allows gives what it allows, as existing clients expect.

>>> page = paging.Page.of(request, "instances_page_size")                                   # doctest: +SKIP
>>> rows = instance_listing.list_rows(session, scope, limit=page.limit + 1, marker=page.marker)   # doctest: +SKIP
>>> rows, links = page.cut("instances", rows, lambda row: row.id)                           # doctest: +SKIP
>>> Reply({"instances": [...], **links})                                                    # doctest: +SKIP
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from trove.api import links
from trove.api.request import ApiRequest

T = TypeVar("T")

_PLAIN = re.compile(r"[A-Za-z0-9._-]+\Z")
_ENCODED = "~"


@dataclass(frozen=True)
class Page:
    """The page a request asks for.

    :ivar marker: as the collection orders it, already decoded; ``None`` for the first page.
    """

    request: ApiRequest
    limit: int
    marker: str | None

    @classmethod
    def of(cls, request: ApiRequest, option: str) -> "Page":
        """Return the page that the query names.

        :param option: name of the option with the page size.
        """
        size: int = request.services.conf[option]
        marker = request.query.get("marker")
        return cls(
            request, min(request.query.get("limit", size), size), None if marker is None else decode_marker(marker)
        )

    def cut(
        self, collection: str, rows: Sequence[T], marker_of: Callable[[T], str]
    ) -> tuple[Sequence[T], dict[str, Any]]:
        """Return the rows of this page, and the members that lead to the next one (none on the last page).

        :param collection: name of the document's member with the rows.
        """
        if len(rows) <= self.limit:
            return rows, {}
        kept = rows[: self.limit]
        query = {**self.request.query, "limit": self.limit, "marker": encode_marker(marker_of(kept[-1]))}
        path = self.request.route.path.format_map({k: quote(v, safe="") for k, v in self.request.path.items()})
        following = [{"rel": "next", "href": f"{self.request.base_url}{path}?{urlencode(query)}"}]
        return kept, {"links": following, links.of_collection(collection): following}


def encode_marker(text: str) -> str:
    """Return ``text`` in characters that need no encoding in a URL.

    Some clients decode the next link and send the marker back as it came out, others follow the link to the letter;
    only such a marker survives both.
    """
    if _PLAIN.match(text):
        return text
    return _ENCODED + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_marker(marker: str) -> str:
    """Return what :func:`encode_marker` was given; anything else is taken as it is, because people type markers too."""
    if not marker.startswith(_ENCODED):
        return marker
    data = marker[1:]
    try:
        text = base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return marker
    return marker if "\0" in text else text
