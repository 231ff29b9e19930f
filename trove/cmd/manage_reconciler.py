# SPDX-License-Identifier: Apache-2.0
"""``trove-manage reconciler list|remove``: differences between our rows and what providers list.

``remove`` is for what the taskmanagers only report, and for whoever has told them to report only. It removes nothing
that a comparison has not found, and nothing of an instance that lives.
"""

import argparse
import datetime
import json
from typing import Any

from oslo_config import cfg
from sqlalchemy import orm

from trove.cmd import arguments
from trove.common import clock
from trove.db.api import Database
from trove.domain import reconciliation as rules
from trove.domain.reconciliation import Problem, Standing
from trove.objects import finding
from trove.providers import base
from trove.providers import registry as providers
from trove.taskmanager import reconciler


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``reconciler`` and its sub-commands."""
    noun = subparsers.add_parser("reconciler", help="see and remove outside things that belong to nobody")
    commands = noun.add_subparsers(dest="reconciler_command", required=True, metavar="COMMAND")
    text = "list what is outside and belongs to nobody, and what is missing, that which has lasted longest first"
    listing = commands.add_parser("list", help=text, description=text)
    listing.add_argument("--problem", choices=[item.value for item in Problem], help="only these")
    listing.add_argument("--limit", type=arguments.rows, default=1000, help="at most so many (default: 1000)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(func=_list)
    text = "remove what the providers of this host's configuration have of an owner that is deleted or unknown"
    remove = commands.add_parser("remove", help=text, description=text)
    remove.add_argument("owner", metavar="OWNER", help="as in the list: instance:ID or server-group:ID")
    remove.set_defaults(func=_remove)


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; return the exit code."""
    return int(args.func(conf, db, args))


def _list(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    problem = None if args.problem is None else Problem(args.problem)
    with db.reader() as session:
        rows = finding.list_rows(session, problem=problem, limit=args.limit)
    shown = [_shown(row, datetime.timedelta(seconds=conf.reconciler.grace_period)) for row in rows]
    if args.json:
        print(json.dumps(shown))
        return 0
    for item in shown:
        sure = "" if item["confirmed"] else "  (not confirmed yet)"
        where = f"provider {item['provider']} {item['host']}".rstrip()
        print(f"{item['problem']}  {item['kind']}  {item['owner']}  {where}")
        print(f"    since {item['first_seen_at']}, last seen {item['last_seen_at']}{sure}")
        for name in ("outside_id", "detail", "error"):
            if item[name]:
                print(f"    {name}: {item[name]}")
    return 0


def _shown(row: finding.Row, grace: datetime.timedelta) -> dict[str, Any]:
    seen = row.finding.seen
    return {
        "problem": seen.problem.value,
        "kind": seen.kind,
        "tag": seen.tag,
        "owner": f"{seen.owner.kind}:{seen.owner.id}",
        **row.scope._asdict(),
        "outside_id": seen.outside_id,
        "detail": seen.detail,
        "first_seen_at": clock.isoformat(row.finding.first_seen_at),
        "last_seen_at": clock.isoformat(row.finding.last_seen_at),
        "confirmed": rules.is_confirmed(row.finding, grace),
        "error": row.error,
    }


def _remove(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    owner = rules.owner_of(args.owner)
    if owner is None:
        print(f"{args.owner!r} is not an owner; give one as trove-manage reconciler list shows it.")
        return 1
    served = providers.open_enabled(conf).served
    with db.reader() as session:
        standing = reconciler.standings(session, [owner]).get(owner)
        found = {name: _leftovers(session, owner, provider) for name, provider in served.items()}
    if standing not in (None, Standing.DELETED):
        print(f"{args.owner} is {_WORDS[standing]}; nothing was removed.")
        return 1
    if not any(found.values()):
        names = f"provider {' or '.join(served)}"
        print(f"No comparison with {names} has found anything of {args.owner} here.")
        return 1
    errors = [_remove_from(db, provider, found[name]) for name, provider in served.items()]
    return 1 if any(errors) else 0


def _leftovers(session: orm.Session, owner: rules.Owner, provider: base.Provider) -> tuple[rules.Seen, ...]:
    rows = finding.of_owner(session, owner, reconciler.scope_of(provider))
    return rules.ordered(row.finding for row in rows if row.finding.seen.problem is not Problem.MISSING)


def _remove_from(db: Database, provider: base.Provider, leftovers: tuple[rules.Seen, ...]) -> str | None:
    def gone(seen: rules.Seen) -> None:
        print(f"Removed {seen.kind} {seen.tag}.")
        with db.writer() as session:
            finding.forget(session, reconciler.scope_of(provider), seen)

    error = reconciler.remove(provider, leftovers, gone)
    if error is not None:
        print(f"Stopped: {error}. Repeat the command.")
    return error


_WORDS = {Standing.LIVE: "not deleted", Standing.BUSY: "being worked on"}
