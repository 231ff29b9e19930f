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
from typing import Any

from trove.common.threads import use_native_threads

use_native_threads()

from trove.common import clock, ids  # noqa: E402
from trove.standalone import control  # noqa: E402
from trove.standalone.layout import Layout, write_private  # noqa: E402

NAME = "demo"
DATABASE = "demo"
USER = "demo"
FLAVOR = "db.small"
VOLUME_GIB = 1
#: Seconds until an instance that is not ready counts as failed.
READY_TIMEOUT = 600.0
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
            [sys.executable, "-c", _CLIENT],
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


def ensure_instance(layout: Layout, datastore: str) -> str:
    """Return the id of the instance ``demo``, making it when there is none."""
    for row in openstack("instance", "list"):
        if row["Name"] == NAME:
            if row["Datastore"] != datastore:
                raise DemoFailed(
                    f"there is an instance '{NAME}' of {row['Datastore']}; delete it or use another --data-dir"
                )
            print(f"==> instance '{NAME}' exists")
            return str(row["ID"])
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
    """
    give_up = clock.monotonic() + READY_TIMEOUT
    seen = ""
    while clock.monotonic() < give_up:
        row = next((r for r in control.status(layout)["instances"] if r["id"] == instance_id), None)
        if row is None:
            raise DemoFailed("the instance is gone")
        now = f"{row['status']} ({row['service_status']})"
        if now != seen:
            print(f"    {now}", flush=True)
            seen = now
        if row["status"] == "ACTIVE" and row["service_status"] == "healthy":
            return dict(row)
        if row["status"] == "ERROR":
            fault = openstack("instance", "show", instance_id).get("fault", "no reason is known")
            raise DemoFailed(f"the instance failed: {fault}; see {layout.log}")
        clock.sleep(0.2)
    raise DemoFailed(f"the instance was not ready within {READY_TIMEOUT:.0f} seconds; see {layout.log}")


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
    print(f"use the client     export OS_CLIENT_CONFIG_FILE={q(str(layout.clouds))} OS_CLOUD=trove-standalone")
    print(f"                   {q(str(program))} database instance list")
    print(f"logs               {layout.log} (service), {row['log']} (instance)")
    print(f"stop               {q(script)} --data-dir {q(str(layout.root))} --stop")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tour; the environment names the cloud."""
    parser = argparse.ArgumentParser(prog="trove.standalone.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--datastore", choices=sorted(_SCHEMES), default="postgresql")
    parser.add_argument("--script", default="tools/quickstart.sh")
    args = parser.parse_args(argv)
    os.environ.setdefault("OS_CLOUD", "trove-standalone")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # keeps the client's own output in its place
    try:
        tour(Layout(args.data_dir), args.datastore, args.script)
    except (DemoFailed, control.ControlError, subprocess.TimeoutExpired) as err:
        print(f"quickstart: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
