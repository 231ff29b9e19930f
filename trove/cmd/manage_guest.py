# SPDX-License-Identifier: Apache-2.0
"""``trove-manage guest slowed``: which guests report more than they may."""

import argparse
import datetime
import json

from trove.common import clock
from trove.db.api import Database
from trove.objects import heartbeat


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``guest`` and its sub-command."""
    guest = subparsers.add_parser("guest", help="see what guests do")
    commands = guest.add_subparsers(dest="guest_command", required=True, metavar="COMMAND")
    text = "list instances whose guest was slowed down because it reports more than it may, the latest first"
    slowed = commands.add_parser("slowed", help=text, description=text)
    slowed.add_argument("--minutes", type=int, default=60, help="in the last so many minutes (default: 60)")
    slowed.add_argument("--limit", type=int, default=100, help="at most so many (default: 100)")
    slowed.add_argument("--json", action="store_true", help="print JSON")


def run(db: Database, args: argparse.Namespace) -> int:
    """Print the list."""
    with db.reader() as session:
        since = db.now(session) - datetime.timedelta(minutes=max(args.minutes, 1))
        found = heartbeat.slowed_since(session, since, max(args.limit, 1))
    if args.json:
        print(json.dumps([{"instance_id": item, "slowed_at": clock.isoformat(at)} for item, at in found]))
        return 0
    for instance_id, moment in found:
        print(f"{instance_id}  {clock.isoformat(moment)}")
    return 0
