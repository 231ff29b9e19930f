# SPDX-License-Identifier: Apache-2.0
"""Objects in Swift (https://docs.openstack.org/api-ref/object-store/), in the accounts of the projects they belong to.

The service's own user writes there, with a role that Swift lets into every account (``reseller_admin_role`` of its
``keystoneauth``, usually ``ResellerAdmin``). So owners read their objects with their own tokens, pay for them and may
remove them, and nobody's token is kept or handed to a guest.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests
from keystoneauth1 import exceptions as ka_exceptions
from keystoneauth1 import session as ka_session

from trove.objectstore import base

LOG = logging.getLogger(__name__)

_META = "X-Object-Meta-"
#: Objects in one answer of a listing; Swift's own limit.
_PAGE = 10000
_TOO_MANY = frozenset({408, 429, 498})


class SwiftStore:
    """A :class:`trove.objectstore.base.ObjectStore`.

    :param session: authenticated as the service's user.
    :param options: ``region_name`` and ``interface``, which select the endpoint in the catalogue.
    :param account_prefix: what the names of accounts have in front of the project's id.
    """

    def __init__(
        self,
        session: ka_session.Session,
        *,
        options: Mapping[str, Any],
        account_prefix: str = "AUTH_",
        timeout: float = 60.0,
    ) -> None:
        self._session = session
        self._filter = {"service_type": "object-store", **options}
        self._account_prefix = account_prefix
        self._timeout = timeout

    def put(
        self,
        project_id: str,
        container: str,
        name: str,
        chunks: Iterable[bytes],
        *,
        metadata: Mapping[str, str] | None = None,
        expire_after: int | None = None,
    ) -> base.ObjectInfo:
        """See :meth:`trove.objectstore.base.ObjectStore.put`."""
        base.check_name(name)
        # Also renews a token that has expired, while nothing of the content is consumed.
        self._expect((201, 202), self._call("PUT", project_id, container))
        headers = {f"{_META}{key}": value for key, value in (metadata or {}).items()}
        if expire_after is not None:
            headers["X-Delete-After"] = str(expire_after)
        source = _Source(chunks)
        try:
            answer = self._call("PUT", project_id, container, name, data=source, headers=headers, allow_reauth=False)
        except base.StoreError:
            if source.error is not None:
                raise source.error from None
            raise
        self._expect((201,), answer)
        etag = answer.headers.get("Etag", "").strip('"')
        return base.ObjectInfo(name, source.size, etag, {k.lower(): v for k, v in (metadata or {}).items()})

    def get(self, project_id: str, container: str, name: str) -> Iterator[bytes]:
        """See :meth:`trove.objectstore.base.ObjectStore.get`."""
        answer = self._call("GET", project_id, container, name, stream=True)
        try:
            self._expect((200,), answer)
        except BaseException:
            answer.close()
            raise
        return _pieces(answer)

    def head(self, project_id: str, container: str, name: str) -> base.ObjectInfo:
        """See :meth:`trove.objectstore.base.ObjectStore.head`."""
        answer = self._call("HEAD", project_id, container, name)
        self._expect((200, 204), answer)
        found = answer.headers
        metadata = {
            key[len(_META) :].lower(): value for key, value in found.items() if key.lower().startswith(_META.lower())
        }
        return base.ObjectInfo(name, int(found["Content-Length"]), found.get("Etag", "").strip('"'), metadata)

    def find(self, project_id: str, container: str, prefix: str = "") -> Iterator[base.ObjectInfo]:
        """See :meth:`trove.objectstore.base.ObjectStore.find`."""
        marker = ""
        while True:
            query = {"format": "json", "prefix": prefix, "marker": marker, "limit": _PAGE}
            answer = self._call("GET", project_id, container, params=query)
            if answer.status_code == requests.codes.not_found:
                return
            self._expect((200, 204), answer)
            page = json.loads(answer.content or b"[]")
            for item in page:
                yield base.ObjectInfo(item["name"], int(item["bytes"]), item["hash"])
            if len(page) < _PAGE:
                return
            marker = page[-1]["name"]

    def remove(self, project_id: str, container: str, name: str) -> None:
        """See :meth:`trove.objectstore.base.ObjectStore.remove`."""
        self._expect((204, 404), self._call("DELETE", project_id, container, name))

    def sweep(self) -> int:
        """Do nothing: Swift's own expirer removes what has expired."""
        return 0

    def _call(
        self, method: str, project_id: str, container: str, name: str | None = None, **options: Any
    ) -> requests.Response:
        if name is not None:
            base.check_name(name)
        path = "/".join(quote(part, safe="/") for part in (container, name) if part is not None)
        try:
            endpoint = self._session.get_endpoint(**self._filter)
            if not endpoint:
                raise base.StoreRefused("the service catalogue has no object-store endpoint for the service's user")
            above = endpoint.rstrip("/").rpartition("/")[0]
            # A redirect would lead the token to another host.
            answer: requests.Response = self._session.request(
                f"{above}/{self._account_prefix}{quote(project_id, safe='')}/{path}",
                method,
                raise_exc=False,
                redirect=False,
                connect_retries=0,
                **{"timeout": self._timeout, **options},
            )
            return answer
        except (ka_exceptions.ConnectFailure, ka_exceptions.RetriableConnectionFailure) as err:
            raise base.StoreUnavailable(f"Swift or Keystone does not answer ({type(err).__name__})") from err
        except ka_exceptions.HttpError as err:  # from Keystone: answers of Swift are not raised
            if err.http_status and err.http_status < 500:
                raise base.StoreRefused(f"Keystone refuses the service's user ({err.http_status})") from err
            raise base.StoreUnavailable(f"Keystone failed ({err.http_status})") from err
        except ka_exceptions.ClientException as err:
            raise base.StoreRefused(f"the service's user cannot get at Swift ({type(err).__name__})") from err
        except (requests.RequestException, OSError) as err:
            raise base.StoreUnavailable(f"the connection to Swift broke ({type(err).__name__})") from err

    @staticmethod
    def _expect(wanted: tuple[int, ...], answer: requests.Response) -> None:
        status = answer.status_code
        if status in wanted:
            return
        if status == requests.codes.not_found:
            raise base.ObjectNotFound("there is no such object")
        if status >= 500 or status in _TOO_MANY or status == requests.codes.unauthorized:
            raise base.StoreUnavailable(f"Swift answered {status}")
        remedy = "; give the service's user Swift's reseller_admin_role" if status == requests.codes.forbidden else ""
        raise base.StoreRefused(f"Swift answered {status}{remedy}")


class _Source:
    """The content as requests wants it, which sends what it iterates over; keeps what went wrong in there."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.size = 0
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                self.size += len(chunk)
                if chunk:  # an empty one would end the request's body
                    yield chunk
        except Exception as err:
            self.error = err
            # Not what the caller's errors are: whatever it is, the connection must break before the final chunk.
            raise OSError("the source of the content failed") from err


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_content(base.CHUNK_BYTES)
    except requests.RequestException as err:
        raise base.StoreUnavailable(f"the connection to Swift broke ({type(err).__name__})") from err
    finally:
        answer.close()
