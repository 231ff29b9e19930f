# SPDX-License-Identifier: Apache-2.0
"""``trove-manage workflow|guest_command|configuration_history purge``: remove at once what is over.

The same as the taskmanagers do by themselves, see ``[retention]``; for somebody who wants it sooner, or keeps
everything there. Each batch is a transaction of its own, so that services go on meanwhile, and what was removed stays
removed when the command is interrupted.
"""

import argparse
import datetime
from typing import NamedTuple

from oslo_config import cfg

from trove.cmd import arguments
from trove.common import clock
from trove.db.api import Database, retry_on_conflict
from trove.objects.retention import Page, Swept
from trove.taskmanager import retention

_NOUNS = {
    "guest_command": (retention.COMMANDS, "remove commands to guests that are over"),
    "configuration_history": (retention.HISTORY, "remove former values of configuration groups"),
}

#: Commands of this module; ``workflow`` has more than this one and a module of its own.
COMMANDS = tuple(_NOUNS)


class _Total(NamedTuple):
    looked: int
    removed: int
    #: Whether all that is as old was looked at.
    complete: bool


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    for name, (kept, text) in _NOUNS.items():
        noun = subparsers.add_parser(name, help=text)
        add_purge(noun.add_subparsers(dest=f"{name}_command", required=True, metavar="COMMAND"), kept)


def add_purge(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", kept: retention.Kept) -> None:
    """Add ``purge`` to the commands of a noun; it sets ``func``."""
    text = f"remove {kept.what} that were over so many days ago, unless something live refers to them"
    parser = subparsers.add_parser("purge", help=text, description=text)
    parser.add_argument(
        "--older-than", type=arguments.days, required=True, metavar="DAYS", help="at least so many days ago (required)"
    )
    parser.add_argument("--max-rows", type=arguments.rows, metavar="N", help="remove at most so many (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, only count what would be")
    parser.set_defaults(func=purge, kept=kept)


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; return the exit code."""
    return int(args.func(conf, db, args))


def purge(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Remove what is old enough, and say how much that was."""
    with db.reader() as session:
        before = db.now(session) - datetime.timedelta(days=args.older_than)
    total = _all(db, args, before)
    done = "Would remove" if args.dry_run else "Removed"
    print(f"{done} {total.removed} {args.kept.what} that were over before {clock.isoformat(before)}.")
    if not total.complete:
        print("There may be more: --max-rows is reached.")
    elif stay := total.looked - total.removed:
        print(f"{stay} as old as that stay, because something live refers to them.")
    return 0


def _all(db: Database, args: argparse.Namespace, before: datetime.datetime) -> _Total:
    @retry_on_conflict
    def batch(page: Page) -> Swept:
        with db.reader() if page.dry else db.writer() as session:
            swept: Swept = args.kept.sweep(session, page)
        return swept

    looked = removed = 0
    position: str | None = ""
    while position is not None:
        limit = retention.BATCH
        if args.max_rows is not None:
            limit = min(limit, args.max_rows - removed)
            if not limit:
                return _Total(looked, removed, False)
        done = batch(Page(before, position, limit, args.dry_run))
        looked, removed, position = looked + done.looked, removed + done.removed, done.position
    return _Total(looked, removed, True)
