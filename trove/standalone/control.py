# SPDX-License-Identifier: Apache-2.0
"""Start, look at and stop a standalone service from another process."""

import contextlib
import dataclasses
import http.client
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from trove.common import clock
from trove.providers.local import tiers
from trove.standalone import pidfile
from trove.standalone.layout import Layout

LOG = logging.getLogger(__name__)

#: Seconds for a start, including migrations of the database.
START_TIMEOUT = 60.0
#: Seconds for a stop of the service, then of all databases.
STOP_TIMEOUT = 40.0
#: Seconds for the kernel to end a process that was killed.
KILL_TIMEOUT = 10.0


class ControlError(Exception):
    """What was asked for cannot be done; the text says why."""


class StartFailed(ControlError):
    """The service did not come up; the text ends with what it said."""


class StopFailed(ControlError):
    """The service or its databases did not stop."""


def base_url(host: str, port: int) -> str:
    """Return the URL of the API on ``host`` without a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def endpoint(layout: Layout) -> str:
    """Return the URL of the API of the last start, with version and, without Keystone, project; ``-`` when there was
    none."""
    try:
        return layout.endpoint.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return "-"


def start_in_background(layout: Layout, host: str, port: int) -> int:
    """Start the service detached from this terminal and return its pid once the API answers.

    :raises StartFailed: when it ends or does not answer in time.
    :raises AlreadyRunning: when another one was started at the same time.
    """
    layout.create_root()
    layout.log.touch(mode=0o600)
    running = pidfile.running(layout.pid)
    if running:
        return running
    with open(layout.log, "ab") as log:
        offset = log.tell()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "trove.standalone",
                "--data-dir",
                str(layout.root),
                "up",
                "--host",
                host,
                "--port",
                str(port),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    give_up = clock.monotonic() + START_TIMEOUT
    while clock.monotonic() < give_up:
        if process.poll() is not None:
            if other := pidfile.running(layout.pid):
                raise pidfile.AlreadyRunning(other)
            raise StartFailed(f"it ended with code {process.returncode}:\n{_tail(layout, offset)}")
        if pidfile.running(layout.pid) == process.pid and answers(host, port):
            return process.pid
        clock.sleep(0.05)
    process.terminate()
    raise StartFailed(f"it did not answer within {START_TIMEOUT:.0f} seconds; see {layout.log}")


def answers(host: str, port: int) -> bool:
    """Tell whether the API at ``host``:``port`` says it is healthy."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def status(layout: Layout) -> dict[str, Any]:
    """Return what is known of the service and its instances without asking it: it may not be running."""
    pid = pidfile.running(layout.pid)
    document: dict[str, Any] = {"data_dir": str(layout.root), "running": bool(pid), "pid": pid or None}
    document["log"] = str(layout.log)
    document["endpoint"] = endpoint(layout)
    found = tiers.last(layout.guests)
    document["tier"] = None if found is None else {**dataclasses.asdict(found), "text": str(found)}
    document["instances"] = list(_instances(layout)) if layout.database.exists() else []
    return document


def _instances(layout: Layout) -> Iterator[dict[str, Any]]:
    from oslo_db import exception as db_exception
    from sqlalchemy import exc

    from trove.db import migration
    from trove.db.api import Database
    from trove.objects import instance_listing
    from trove.objects.scope import Scope

    db = Database(f"sqlite:///{layout.database}")
    try:
        if not migration.current(db):
            return  # the first start has not come that far
        with db.reader() as session:
            rows = instance_listing.list_rows(session, Scope.ALL, limit=1000, marker=None)
    except (db_exception.DBError, exc.SQLAlchemyError) as err:
        reason = str(getattr(err, "inner_exception", None) or err).splitlines()[0]
        raise ControlError(f"the database {layout.database} cannot be read: {reason}") from err
    finally:
        db.dispose()
    for row in rows:
        address = row.addresses[0]["address"] if row.addresses else None
        yield {
            "id": row.id,
            "name": row.name,
            "status": row.status,
            "service_status": row.service_status,
            "datastore": f"{row.datastore_name} {row.version_name}",
            "address": address,
            "port": row.port,
            "log": str(layout.guests / "servers" / row.id),
        }


def render(document: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of ``trove-standalone status``."""
    state = f"running (pid {document['pid']})" if document["running"] else "not running"
    yield f"service    {state}"
    yield f"endpoint   {document['endpoint']}"
    yield f"data       {document['data_dir']}"
    yield f"log        {document['log']}"
    if document["tier"]:
        yield f"isolation  {document['tier']['text']}"
    for item in document["instances"]:
        where = f"{item['address']}:{item['port']}" if item["address"] else "-"
        state = f"{item['status']}, {item['service_status']}, {item['datastore']}, {where}"
        yield f"instance   {item['id']} {item['name']}: {state}"


def stop(layout: Layout, *, keep_databases: bool) -> Iterator[str]:
    """Stop the service, then, unless told otherwise, every agent and engine; yield a line for each thing done.

    :raises StopFailed: when something goes on regardless.
    :raises AlreadyRunning: when the service was started again meanwhile.
    """
    pid = pidfile.running(layout.pid)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _wait(lambda: pidfile.running(layout.pid) != pid, STOP_TIMEOUT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if not _wait(lambda: pidfile.running(layout.pid) != pid, KILL_TIMEOUT):
                raise StopFailed(f"the service (pid {pid}) does not stop")
        yield f"stopped the service (pid {pid})"
    else:
        yield "the service is not running"
    if keep_databases or not layout.started:
        return
    # The lock keeps out a service that would bring back what is being stopped.
    lock = pidfile.PidFile(layout.pid)
    lock.acquire()
    try:
        yield from _stop_databases(layout)
    finally:
        lock.release()


def _stop_databases(layout: Layout) -> Iterator[str]:
    from trove.cmd import startup
    from trove.providers import registry as providers
    from trove.providers.local.provider import open_provider
    from trove.standalone import app

    with startup.explained():
        conf = app.configure(layout, layout.settings())
        # Whatever the host has come to lack for new instances does not matter to those that are to stop.
        provider: Any = open_provider(conf) if conf.provider == "local" else providers.load(conf.provider, conf)
    if not _wait(provider.halt, STOP_TIMEOUT):
        raise StopFailed(f"some databases did not stop within {STOP_TIMEOUT:.0f} seconds")
    _write_down(conf)
    yield f"all databases are stopped; their data stays in {layout.guests}"


def _write_down(conf: Any) -> None:
    """Else the next start would show the databases healthy, as they were, until each has said what it does now."""
    from trove.db import migration
    from trove.db.api import Database
    from trove.objects import heartbeat

    db = Database.from_conf(conf)
    try:
        if not migration.check(db):
            with db.writer() as session:
                heartbeat.all_stopped(session)
    except Exception as err:  # boundary: they are stopped all the same
        LOG.warning("that the databases are stopped could not be written down: %s", type(err).__name__)
    finally:
        db.dispose()


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    give_up = clock.monotonic() + seconds
    while clock.monotonic() < give_up:
        if condition():
            return True
        clock.sleep(0.05)
    return bool(condition())


def _tail(layout: Layout, offset: int) -> str:
    with open(layout.log, "rb") as log:
        log.seek(offset)
        return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])
