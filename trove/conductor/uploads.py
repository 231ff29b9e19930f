# SPDX-License-Identifier: Apache-2.0
"""What guests upload: published logs, through the gateway into the object store.

``PUT /v1/guests/{instance_id}/uploads/{ticket id}`` with the headers of :mod:`trove.guestbus.upload_client` and one
object as the body. A guest has no rights in the store. What it may do is in a *ticket* (:mod:`trove.objects.guest_log`)
that a command brought it: one log of one instance, so many bytes, for some minutes. Answers:

* 204: stored; the position is now ``X-Trove-Log-After``;
* 409: the log is published up to ``X-Trove-Log-Position``, and an upload must begin there; nothing was stored;
* 403: no such ticket, or it is over; 413: the object, or all of them together, are too large; 400: malformed;
* 429 with ``Retry-After``: the guest sends more than it may;
* 503 with ``Retry-After``: too many uploads at once, or the store does not answer.

An object is received whole, into a temporary file, before the store sees any of it: a slow or broken guest holds no
connection to the store and leaves nothing there. The row is advanced last and by comparison, so that an upload that is
repeated, or that two conductors get, counts once; it writes the same object again under the same name.
"""

import datetime
import json
import logging
import math
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Protocol

from oslo_config import cfg

from trove.common import clock
from trove.common.log_limit import LogLimit
from trove.conductor.budgets import Budgets
from trove.db.api import Database, retry_on_conflict
from trove.domain import guest_logs
from trove.guestbus import upload_client
from trove.objects import guest_log
from trove.objects.guest_log import LogRow, Uploaded
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.objectstore import base as stores

LOG = logging.getLogger(__name__)

#: Objects under one ticket. A guest that sends many tiny ones would otherwise fill the store with headers.
MAX_OBJECTS = 10000
_RETRY_AFTER = "2"
#: Bytes of an upload that are kept in memory; more goes to a temporary file.
_IN_MEMORY = 256 * 1024
_MAX_POSITION = 128

Answer = tuple[int, list[tuple[str, str]]]


class Body(Protocol):
    """What a request's content is read from."""

    def read(self, size: int) -> bytes: ...


class Uploads:
    """Takes uploads. Thread-safe; several conductors may share one database and store.

    :param budgets: what each guest may send; an upload counts as a message.
    :param slots: uploads at once; each occupies a thread.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        db: Database,
        store: stores.ObjectStore | None,
        *,
        budgets: Budgets,
        slots: int,
    ) -> None:
        self._budgets = budgets
        self._db = db
        self._store = store
        self._container = str(conf.guest_log_container_name)
        self._expiry = int(conf.guest_log_expiry)
        self.limit = int(conf.guest_log_limit)
        self.slots = slots
        self._free = threading.BoundedSemaphore(slots)
        self._refusals = LogLimit(LOG)

    def put(self, instance_id: str, ticket_id: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Answer one request.

        :param headers: names as in :mod:`trove.guestbus.upload_client`, and ``Content-Length``.
        :raises Exception: whatever the database raises; the guest will repeat.
        """
        if self._store is None:
            return 403, []
        if not self._free.acquire(blocking=False):
            return 503, [("Retry-After", _RETRY_AFTER)]
        try:
            return self._put(self._store, instance_id, ticket_id, headers, body)
        except (stores.StoreError, OSError) as err:
            LOG.error("an upload of %s cannot be stored: %s", instance_id, err)
            return 503, [("Retry-After", _RETRY_AFTER)]
        finally:
            self._free.release()

    def _put(
        self, store: stores.ObjectStore, instance_id: str, ticket_id: str, headers: Mapping[str, str], body: Body
    ) -> Answer:
        with self._db.reader() as session:
            now = self._db.now(session)
            secret = headers.get(upload_client.TICKET, "")
            row = guest_log.admitted(session, instance_id, ticket_id, secret, now)
            if row is None:
                # Anybody can ask in anybody's name.
                self._refusals.log(
                    logging.WARNING, "ticket", f"refused an upload in the name of {instance_id}: no such ticket"
                )
                return 403, []
            project_id = str(Instance.get(session, Scope.ALL, instance_id).project_id)
        if wait := self._budgets.admit(instance_id, 0):
            return 429, [("Retry-After", str(math.ceil(wait)))]
        size, after = _size(headers), headers.get(upload_client.AFTER, "")
        if size is None or size < 1 or not 0 < len(after) <= _MAX_POSITION or not after.isascii():
            return 400, []
        if size > self.limit or guest_logs.cost(size) > row.ticket_bytes or row.ticket_objects >= MAX_OBJECTS:
            return 413, []
        if (headers.get(upload_client.BEFORE) or None) != row.position:
            return 409, [(upload_client.POSITION, row.position or "")]
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
            lines = _receive(body, content, size)
            if lines is None:
                return 400, []
            expires_at = now + datetime.timedelta(seconds=self._expiry)
            done = Uploaded(size, after, bool(headers.get(upload_client.RESTARTED)), self._container, expires_at)
            self._store_object(store, project_id, row, content, lines, done)
        return self._advance(row, done)

    def _store_object(
        self, store: stores.ObjectStore, project_id: str, row: LogRow, content: IO[bytes], lines: int, done: Uploaded
    ) -> None:
        assert row.prefix is not None and row.ticket_issued_at is not None
        started = row.ticket_issued_at.isoformat(timespec="milliseconds")
        name = guest_logs.object_name(row.prefix, started, row.ticket_objects + 1)
        store.put(
            project_id,
            self._container,
            name,
            _chunks(content),
            metadata={"Lines": str(lines)},
            expire_after=self._expiry,
        )
        published = done.size + (0 if done.restarted else row.published_bytes)
        described = {
            "log_name": row.name,
            "log_type": row.type,
            "log_file": row.file,
            "log_size": published,
            "log_header_digest": done.position.partition(":")[0],
        }
        metafile = row.prefix.rstrip("/") + "_metafile"
        store.put(project_id, self._container, metafile, [json.dumps(described).encode()], expire_after=self._expiry)

    @retry_on_conflict
    def _advance(self, row: LogRow, done: Uploaded) -> Answer:
        with self._db.writer() as session:
            if guest_log.advance(session, row, done, self._db.now(session)):
                return 204, []
            current = guest_log.get(session, row.instance_id, row.name)
        return 409, [(upload_client.POSITION, current.position or "")]


def _size(headers: Mapping[str, str]) -> int | None:
    try:
        return int(headers.get("Content-Length", ""))
    except ValueError:
        return None


def _receive(body: Body, content: IO[bytes], size: int) -> int | None:
    """Copy ``size`` bytes and return how many lines they have; ``None`` when fewer come."""
    left, lines = size, 0
    last = b""
    while left:
        block = body.read(min(stores.CHUNK_BYTES, left))
        if not block:
            return None
        content.write(block)
        lines += block.count(b"\n")
        last = block
        left -= len(block)
    content.seek(0)
    return lines + (not last.endswith(b"\n"))


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while block := content.read(stores.CHUNK_BYTES):
        yield block


class Sweeper:
    """Has the store remove what has expired, about once an hour."""

    INTERVAL = 3600.0

    def __init__(self, store: stores.ObjectStore | None) -> None:
        self._store = store
        self._next = clock.monotonic() + self.INTERVAL

    def look(self) -> None:
        """Sweep when it is time; raises nothing of the store's."""
        if self._store is None or clock.monotonic() < self._next:
            return
        self._next = clock.monotonic() + self.INTERVAL
        try:
            if removed := self._store.sweep():
                LOG.info("removed %d objects that have expired", removed)
        except stores.StoreError as err:
            LOG.error("the object store cannot be swept: %s", err)
