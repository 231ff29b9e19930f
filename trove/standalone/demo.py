# SPDX-License-Identifier: Apache-2.0
"""The quickstart's tour: make an instance ``demo`` with the ordinary ``openstack`` client, wait for it, and query it.

Everything goes through the client as a user would type it; only the query itself speaks the engine's own protocol.
"""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from trove.common.threads import use_native_threads

use_native_threads()

from trove.api import engines  # noqa: E402
from trove.common import clock, ids  # noqa: E402
from trove.datastores import registry  # noqa: E402
from trove.providers.local.images.store import Images  # noqa: E402
from trove.standalone import report, space  # noqa: E402
from trove.standalone.credentials import CLOUD  # noqa: E402
from trove.standalone.layout import Layout, write_private  # noqa: E402

NAME = "demo"
DATABASE = "demo"
USER = "demo"
FLAVOR = "db.small"
VOLUME_GIB = 1
#: Seconds until an instance that is not ready counts as failed.
READY_TIMEOUT = 600.0
#: Seconds between two words of what is waited for.
SAY_EVERY = 10.0
#: Seconds for one command of the client.
CLIENT_TIMEOUT = 120

#: The engines of the tour, with the scheme of their connection strings; see :func:`query`.
_SCHEMES = {"postgresql": "postgresql", "mariadb": "mysql", "mysql": "mysql"}

#: The client as installed, with its words read from standard input: one of them is a password, which must not show in
#: the process list.
_CLIENT = "import json, sys; from openstackclient.shell import main; sys.exit(main(json.load(sys.stdin)))"


class DemoFailed(Exception):
    """The tour cannot go on; the text says why and what to do."""


def openstack(*words: str) -> Any:
    """Run one ``openstack database`` command and return its JSON answer.

    :raises DemoFailed: with what the client said.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CLIENT],
            input=json.dumps(["database", *words, "-f", "json"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=CLIENT_TIMEOUT,
        )
    except subprocess.TimeoutExpired as err:
        raise DemoFailed(f"openstack database {' '.join(words[:2])} has not answered for {err.timeout} s") from None
    if done.returncode:
        raise DemoFailed(f"openstack database {' '.join(words[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def _password(layout: Layout) -> str:
    # The service does not keep tenants' passwords; this one is kept so that a second run can connect again.
    path = layout.root / "demo-password"
    if not path.exists():
        write_private(path, ids.new_password(24))
    return path.read_text()


def require_datastore(layout: Layout, datastore: str) -> None:
    """Refuse an engine that the tour cannot show on this host, before anything is started.

    :raises DemoFailed: naming those that it can, and why not the others.
    """
    possible, reasons = [], []
    for name, plugin in sorted(registry.load_plugins().items()):
        found = engines.find(plugin, engines.usable(Images(layout.images))[0])
        if name not in _SCHEMES:
            reasons.append(f"{name} has no users and databases for the tour to make")
        elif not found:
            reasons.append(f"{name} is not installed on this host")
        else:
            possible.append(f"{name} ({next(iter(found))})")
            if name == datastore:
                return
    raise DemoFailed(
        f"--datastore {datastore} is not possible here; possible: {', '.join(possible) or 'none'}; not: "
        f"{', '.join(reasons)}"
    )


def ensure_instance(layout: Layout, datastore: str) -> str:
    """Return the id of the instance ``demo``, making it when there is none.

    :raises DemoFailed: when there is one that is another's or has failed.
    :raises NoSpace: when a new one would not fit on the disk.
    """
    for row in openstack("instance", "list"):
        if row["Name"] == NAME:
            if row["Datastore"] != datastore:
                raise DemoFailed(
                    f"there is an instance '{NAME}' of {row['Datastore']}; delete it or use another --data-dir"
                )
            print(f"==> instance '{NAME}' exists")
            return str(row["ID"])
    space.require(layout.root, space.FOR_DATABASE, "a new database needs")
    print(
        f"==> openstack database instance create {NAME} --flavor {FLAVOR} --size {VOLUME_GIB} --datastore {datastore} …"
    )
    made = openstack(
        "instance", "create", NAME, "--flavor", FLAVOR, "--size", str(VOLUME_GIB), "--datastore", datastore,
        "--databases", DATABASE, "--users", f"{USER}:{_password(layout)}",
    )  # fmt: skip
    return str(made["id"])


def wait_ready(layout: Layout, instance_id: str) -> dict[str, Any]:
    """Show progress until the instance is ready; return its row of ``trove-standalone status``.

    :raises DemoFailed: when it ends in ERROR or takes too long.
    :raises NoSpace: when the disk has become full meanwhile.
    """
    began = told = clock.monotonic()
    seen = ""
    while clock.monotonic() - began < READY_TIMEOUT:
        document = report.status(layout)
        row = next((r for r in document["instances"] if r["id"] == instance_id), None)
        if not document["running"]:
            raise DemoFailed(f"the service has ended; see {layout.log}")
        if row is None:
            raise DemoFailed("the instance is gone")
        now = f"{row['status']} ({row['service_status']})"
        if now != seen or clock.monotonic() - told >= SAY_EVERY:
            told = clock.monotonic()
            print(f"    {now}" + (f" since {told - began:.0f} s" if now == seen else ""), flush=True)
            seen = now
        if row["status"] == "ACTIVE" and row["service_status"] == "healthy":
            return dict(row)
        if row["status"] == "ERROR":
            _raise_failure(layout, instance_id)
        # Without this, what has run out shows as whatever somebody could not write.
        space.require(layout.root, 1, "the database and its service need")
        clock.sleep(0.2)
    raise DemoFailed(f"the instance was not ready within {READY_TIMEOUT:.0f} seconds; see {layout.log}")


def _raise_failure(layout: Layout, instance_id: str) -> NoReturn:
    fault = openstack("instance", "show", instance_id).get("fault", "no reason is known")
    raise DemoFailed(
        f"the instance failed: {fault}; see {layout.log}. When the cause is gone, delete it and run this again: "
        f"{_client(layout)} database instance delete {instance_id}"
    )


def _client(layout: Layout) -> str:
    program = shlex.quote(str(Path(sys.executable).with_name("openstack")))
    if not layout.clouds.exists():
        return program
    return f"OS_CLIENT_CONFIG_FILE={shlex.quote(str(layout.clouds))} OS_CLOUD={CLOUD} {program}"


def query(datastore: str, address: str, port: int, password: str) -> str:
    """Connect with the engine's own client library and run one query, as the demo's user; return what the server says
    of itself.

    :raises DemoFailed: when the database does not answer.
    """
    import psycopg2
    import pymysql

    where: dict[str, Any] = {"host": address, "port": port, "user": USER, "password": password, "database": DATABASE}
    try:
        if _SCHEMES[datastore] == "postgresql":
            asked = "session_user, current_database()"
            connection = psycopg2.connect(**where, connect_timeout=10)
        else:
            asked = "substring_index(user(), '@', 1), database()"
            connection = pymysql.connect(**where, connect_timeout=10)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(f"select {asked}, version()")
            user, database, version = cursor.fetchone()
    except (psycopg2.Error, pymysql.Error) as err:
        raise DemoFailed(f"the database did not answer: {str(err).strip()}") from err
    return f"{user}@{database}: {version}"


def tour(layout: Layout, datastore: str, script: str) -> None:
    """Make, wait, query, and print where everything is.

    :param script: the program that the user has called.
    """
    instance_id = ensure_instance(layout, datastore)
    row = wait_ready(layout, instance_id)
    address, port, password = row["address"], row["port"], _password(layout)
    print(f"==> {query(datastore, address, port, password)}\n")
    program = Path(sys.executable).with_name("openstack")
    subprocess.run([str(program), "database", "instance", "list"], check=False, timeout=CLIENT_TIMEOUT)
    q = shlex.quote
    print(f"\nconnection string  {_SCHEMES[datastore]}://{USER}:{password}@{address}:{port}/{DATABASE}")
    if layout.clouds.exists():
        print(f"use the client     export OS_CLIENT_CONFIG_FILE={q(str(layout.clouds))} OS_CLOUD={CLOUD}")
        print(f"                   {q(str(program))} database instance list")
    else:
        print(f"use the client     {q(str(program))} database instance list    (with your account of Keystone)")
    print(f"logs               {layout.log} (service), {row['log']} (instance)")
    print(f"stop               {q(script)} --data-dir {q(str(layout.root))} --stop")


def has_account(layout: Layout) -> bool:
    """Tell whether the client can log in: with the account of the service, or with Keystone as the caller."""
    if layout.clouds.exists():
        os.environ.setdefault("OS_CLOUD", CLOUD)
        return True
    return any(os.environ.get(name) for name in ("OS_CLOUD", "OS_AUTH_URL"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tour; the environment names the cloud."""
    parser = argparse.ArgumentParser(prog="trove.standalone.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--datastore", default="postgresql")
    parser.add_argument("--script", default="tools/quickstart.sh")
    parser.add_argument("--check", action="store_true", help="only tell whether the tour is possible on this host")
    args = parser.parse_args(argv)
    layout = Layout(args.data_dir)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # keeps the client's own output in its place
    try:
        if args.check:
            require_datastore(layout, args.datastore)
        elif has_account(layout):
            tour(layout, args.datastore, args.script)
        else:
            print(
                f"==> the service runs at {report.endpoint(layout)}, and accounts are Keystone's. Register that URL "
                f"with /%(project_id)s behind it as endpoint of the service type 'database', set OS_CLOUD or "
                f"OS_AUTH_URL and what belongs to it, and run this again for the instance '{NAME}'"
            )
    except (DemoFailed, report.Unreadable, space.NoSpace, subprocess.TimeoutExpired) as err:
        print(f"quickstart: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
