# SPDX-License-Identifier: Apache-2.0
"""What is known of a standalone service and its instances, without asking it: it may not be running.

What the database of the service says is what guests have said last. While the service runs that is the present; once it
does not, it is history, and the processes of this host say what is so.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from trove.common import clock, printable
from trove.domain import instance_states
from trove.providers.local import inventory, tiers
from trove.standalone import code, pidfile, running
from trove.standalone.layout import Layout

#: Shown in place of a status that is history.
STOPPED, LEFT_RUNNING = "STOPPED", "RUNNING"


class Unreadable(Exception):
    """The database of the service cannot be read; the text says why."""


def endpoint(layout: Layout) -> str:
    """Return the URL of the API of the last start, with version and, without Keystone, project; ``-`` when there was
    none."""
    try:
        return layout.endpoint.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return "-"


def status(layout: Layout) -> dict[str, Any]:
    """Return everything as a document.

    Of each instance, ``status`` and ``service_status`` are the present: of one whose service is stopped, ``STOPPED`` or
    ``RUNNING`` and ``null``. ``last_known`` is what the service knew and when its guest had said so.

    :raises Unreadable: when there is a database that cannot be read.
    """
    pid = pidfile.running(layout.pid)
    document: dict[str, Any] = {"data_dir": str(layout.root), "running": bool(pid), "pid": pid or None}
    document["ready"] = (answering := running.read(layout)) is not None
    document["outdated"] = answering is not None and answering.code != code.digest()
    document["log"] = str(layout.log)
    document["endpoint"] = endpoint(layout)
    found = tiers.last(layout.guests)
    document["tier"] = None if found is None else {**dataclasses.asdict(found), "text": str(found)}
    document["instances"] = list(_instances(layout, bool(pid))) if layout.database.exists() else []
    return document


def _instances(layout: Layout, service_runs: bool) -> Iterator[dict[str, Any]]:
    processes = inventory.running_servers(layout.guests)
    for row in _rows(layout):
        seen = processes.get(row.id, inventory.Running(False, False))
        address = row.addresses[0]["address"] if row.addresses else None
        shown = {
            "id": row.id,
            "name": row.name,
            "status": row.status,
            "service_status": row.service_status,
            "agent_runs": seen.agent,
            "engine_runs": seen.engine,
            "last_known": {
                "status": row.status,
                "service_status": row.service_status,
                "at": None if row.reported_at is None else f"{clock.isoformat(row.reported_at)}Z",
            },
            "datastore": f"{row.datastore_name} {row.version_name}",
            "address": address,
            "port": row.port,
            "log": str(layout.guests / "servers" / row.id / "state" / "agent.log"),
        }
        if not service_runs:
            shown.update(status=LEFT_RUNNING if seen.engine else STOPPED, service_status=None)
        yield shown


def _rows(layout: Layout) -> list[Any]:
    from oslo_db import exception as db_exception
    from sqlalchemy import exc

    from trove.db import migration
    from trove.db.api import Database
    from trove.objects import instance_listing
    from trove.objects.scope import Scope

    db = Database(f"sqlite:///{layout.database}")
    try:
        if not migration.current(db):
            return []  # the first start has not come that far
        with db.reader() as session:
            return list(instance_listing.list_rows(session, Scope.ALL, limit=1000, marker=None))
    except (db_exception.DBError, exc.SQLAlchemyError) as err:
        reason = str(getattr(err, "inner_exception", None) or err).splitlines()[0]
        raise Unreadable(f"the database {layout.database} cannot be read: {reason}") from err
    finally:
        db.dispose()


def render(document: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of ``trove-standalone status``."""
    state = f"running (pid {document['pid']})" if document["running"] else "not running"
    if document["running"] and not document["ready"]:
        state += ", does not answer yet"
    yield f"service    {state}"
    if document["outdated"]:
        yield (
            f"           other code is installed than it runs; restart it, databases go on: "
            f"trove-standalone --data-dir {document['data_dir']} up --detach"
        )
    last = "" if document["running"] else " (of the last start)"
    yield f"endpoint   {document['endpoint']}{last if document['endpoint'] != '-' else ''}"
    yield f"data       {document['data_dir']}"
    yield f"log        {document['log']}"
    if document["tier"]:
        yield f"isolation  {document['tier']['text']}"
    for item in document["instances"]:
        where = f"{item['address']}:{item['port']}" if item["address"] else "-"
        name = printable.one_line(item["name"])
        yield f"instance   {item['id']} {name}: {_state(item)}, {item['datastore']}, {where}"


def _state(item: dict[str, Any]) -> str:
    last = item["last_known"]
    known = f"{last['status']}, {last['service_status']}" + (f" at {last['at']}" if last["at"] else "")
    if item["status"] == STOPPED and last["service_status"] == instance_states.SERVICE_SHUTDOWN:
        return "stopped"
    if item["service_status"] is None:
        now = "its processes run" if item["engine_runs"] else "stopped"
        return f"{now}, last known as {known}"
    if item["service_status"] == instance_states.SERVICE_HEALTHY and not item["engine_runs"]:
        return f"its engine does not run, last known as {known}"
    return f"{item['status']}, {item['service_status']}"
