# SPDX-License-Identifier: Apache-2.0
"""``trove-manage db_sync|db_upgrade|db_version|db_downgrade|db_recreate``: the database schema.

``db_sync`` and ``db_upgrade`` are the same; both names are called by deployment tools, with arguments that mean
nothing here and are taken.
"""

import argparse
import sys
from collections.abc import Callable

from trove.db import migration
from trove.db.api import Database

Function = Callable[[Database, argparse.Namespace], int]

#: Commands of this module.
COMMANDS = ("db_sync", "db_upgrade", "db_version", "db_downgrade", "db_recreate")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each sets ``func`` to its function."""
    for name in ("db_sync", "db_upgrade"):
        sync = subparsers.add_parser(name, help="bring the database schema up to date")
        sync.set_defaults(func=_sync)
        sync.add_argument(
            "--expand", action="store_true", help="only what old and new processes can share; run it before an upgrade"
        )
        sync.add_argument(
            "--contract", action="store_true", help="only what no old process may see; run it after an upgrade"
        )
        for ignored in ("--version", "--repo_path"):
            sync.add_argument(ignored, help=argparse.SUPPRESS)
    version = subparsers.add_parser("db_version", help="show the schema's revision on each branch")
    version.set_defaults(func=_version)
    downgrade = subparsers.add_parser("db_downgrade", help="refused: restore a backup of the database instead")
    downgrade.set_defaults(func=_downgrade)
    downgrade.add_argument("version", nargs="?", help=argparse.SUPPRESS)
    downgrade.add_argument("--repo_path", help=argparse.SUPPRESS)
    recreate = subparsers.add_parser("db_recreate", help="empty the database: everything that Trove knows is lost")
    recreate.set_defaults(func=_recreate)
    recreate.add_argument("--confirm", metavar="DATABASE", help="name of the database, to show that you mean it")
    recreate.add_argument("--repo_path", help=argparse.SUPPRESS)


def _sync(db: Database, args: argparse.Namespace) -> int:
    branch = (
        "expand" if args.expand and not args.contract else "contract" if args.contract and not args.expand else None
    )
    migration.upgrade(db, branch)
    return 0


def _version(db: Database, args: argparse.Namespace) -> int:
    for revision in migration.current(db):
        print(revision)
    return 0


def _downgrade(db: Database, args: argparse.Namespace) -> int:
    print(
        "error: the schema cannot be downgraded: what a release has contracted is gone. An older release runs on an "
        "expanded schema; to go back behind a contraction, restore the backup of the database made before it.",
        file=sys.stderr,
    )
    return 1


def _recreate(db: Database, args: argparse.Namespace) -> int:
    name = db.engine.url.database or ""
    if args.confirm != name:
        print(
            f"error: this removes every table of database {name}, and with it all that Trove knows of its instances; "
            f"they themselves stay and must be removed by hand. Stop all services, and repeat with: --confirm {name}",
            file=sys.stderr,
        )
        return 1
    migration.recreate(db)
    return 0
