# SPDX-License-Identifier: Apache-2.0
"""``trove-manage guest slowed|rotate-keys|revoke``: which guests report more than they may, and what becomes of their
keys."""

import argparse
import datetime
import json
import sys
from collections.abc import Iterator

from oslo_config import cfg

from trove.cmd import arguments, startup
from trove.common import clock, exception
from trove.conductor import renewal, revocation
from trove.db import crypto
from trove.db.api import Database, retry_on_conflict
from trove.objects import guest_identity, heartbeat
from trove.workflow.store import Store

#: Seconds that a guest has to begin with a rotation; a machine may be shut down over a weekend.
_DEADLINE = 7 * 86400.0
_PAGE = 500


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``guest`` and its sub-commands; each sets ``func`` to its function."""
    guest = subparsers.add_parser("guest", help="see what guests do, and rotate or revoke their keys")
    commands = guest.add_subparsers(dest="guest_command", required=True, metavar="COMMAND")
    text = "list instances whose guest was slowed down because it reports more than it may, the latest first"
    listing = commands.add_parser("slowed", help=text, description=text)
    listing.add_argument(
        "--minutes", type=arguments.minutes, default=60, help="in the last so many minutes (default: 60)"
    )
    listing.add_argument("--limit", type=arguments.rows, default=100, help="at most so many (default: 100)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(func=slowed)
    text = "ask guests to agree on a new key; they do so when they are next heard, and go on meanwhile"
    rotation = commands.add_parser("rotate-keys", help=text, description=text)
    which = rotation.add_mutually_exclusive_group(required=True)
    which.add_argument("instance", nargs="?", help="id of the instance")
    which.add_argument("--all", action="store_true", help="all guests that have keys of their own")
    rotation.add_argument(
        "--older-than", type=arguments.days, metavar="DAYS", help="with --all: only keys at least so many days old"
    )
    rotation.add_argument(
        "--pause", type=arguments.pause, default=0.05, metavar="SECONDS", help="wait between two guests (default: 0.05)"
    )
    rotation.set_defaults(func=rotate_keys)
    text = (
        "erase a guest's keys: it is not heard any more, and what waits for it fails. There is no way back for this "
        "agent; the instance keeps its data and can be deleted."
    )
    end = commands.add_parser("revoke", help="erase a guest's keys, for good", description=text)
    end.add_argument("instance", help="id of the instance")
    end.set_defaults(func=revoke)


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; return the exit code."""
    return int(args.func(conf, db, args))


def slowed(_conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Print the list."""
    with db.reader() as session:
        since = db.now(session) - datetime.timedelta(minutes=args.minutes)
        found = heartbeat.slowed_since(session, since, args.limit)
    if args.json:
        print(json.dumps([{"instance_id": item, "slowed_at": clock.isoformat(at)} for item, at in found]))
        return 0
    for instance_id, moment in found:
        print(f"{instance_id}  {clock.isoformat(moment)}")
    return 0


def rotate_keys(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Ask one guest or all of them; print what became of each."""
    startup.install_key(conf)
    if crypto.current().version != crypto.BOUND:
        return _error(
            "set [security] ciphertext_version to 2 first, when no process of the former release runs any more: its "
            "conductors would refuse guests with a rotated key"
        )

    @retry_on_conflict
    def begin(instance_id: str) -> bool:
        with db.writer() as session:
            return renewal.begin(session, instance_id, db.now(session), _DEADLINE) is not None

    asked = failed = 0
    for instance_id in _all(db, args.older_than) if args.all else [args.instance]:
        try:
            begun = begin(instance_id)
        except (renewal.NotReady, exception.NotFound, crypto.DecryptionFailed) as err:
            failed += 1
            print(f"error: {err}", file=sys.stderr)
            continue
        asked += begun
        print(f"{instance_id}  {'asked' if begun else 'has agreed on a new key, and is to use it'}", flush=True)
        if args.all and args.pause > 0:
            clock.sleep(args.pause)
    print(f"{asked} asked, {failed} cannot")
    return 1 if failed else 0


def revoke(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Revoke one guest's keys."""
    startup.install_key(conf)

    @retry_on_conflict
    def end() -> list[str]:
        with db.writer() as session:
            return revocation.revoke(session, Store(db), args.instance, db.now(session))

    try:
        waited = end()
    except exception.NotFound as err:
        return _error(str(err))
    print(f"The keys of the guest of {args.instance} are erased; {len(waited)} waiting operations were told.")
    return 0


def _all(db: Database, older_than: int | None) -> Iterator[str]:
    with db.reader() as session:
        before = None if older_than is None else db.now(session) - datetime.timedelta(days=older_than)
    after = ""
    while True:
        with db.reader() as session:
            page = guest_identity.enrolled(session, after, _PAGE, before)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _error(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return 1
