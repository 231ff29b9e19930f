# SPDX-License-Identifier: Apache-2.0
"""``trove-manage service list``: which processes run, where, and of which release."""

import argparse

from trove.cmd import printing
from trove.db.api import Database
from trove.objects import service_record

_COLUMNS = ("program", "host", "pid", "release", "state", "started_at", "seen_at")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``service`` and its sub-command."""
    noun = subparsers.add_parser("service", help="see which processes run")
    commands = noun.add_subparsers(dest="service_command", required=True, metavar="COMMAND")
    text = (
        "list the processes of the control plane with their release; one that has said nothing for "
        f"{service_record.LIFE:.0f} seconds is 'gone', and is listed for a day unless it stopped in order"
    )
    listing = commands.add_parser("list", help="list the processes of the control plane", description=text)
    listing.add_argument("--json", action="store_true", help="print JSON, with the versions each process understands")


def run(db: Database, args: argparse.Namespace) -> int:
    """Print the list."""
    with db.reader() as session:
        now = db.now(session)
        found = service_record.known(session)
    rows = [{**item._asdict(), "state": "running" if item.lives(now) else "gone"} for item in found]
    print(printing.as_json(rows) if args.json else printing.table(_COLUMNS, rows))
    return 0
