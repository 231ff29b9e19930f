# SPDX-License-Identifier: Apache-2.0
"""``trove-manage``: what operators do to the database and to workflows.

``trove-manage [--config-file FILE] certificate … | db_sync | db_version | seed_local | datastore … | guest … |
image … | keys … | workflow …``, and the commands that deployment tools call. One module for each noun.
"""

from trove.common.threads import use_native_threads

use_native_threads()

import argparse  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from oslo_config import cfg  # noqa: E402

from trove.cmd import (  # noqa: E402
    manage_association,
    manage_catalog,
    manage_certificate,
    manage_datastore,
    manage_guest,
    manage_image,
    manage_keys,
    manage_parameters,
    manage_purge,
    manage_reconciler,
    manage_retired,
    manage_schema,
    manage_service,
    manage_workflow,
    startup,
)
from trove.datastores import registry as datastores  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.providers.local import images  # noqa: E402
from trove.providers.local.images.store import Images  # noqa: E402
from trove.providers.local.provider import open_provider, unreachable  # noqa: E402
from trove.standalone import seed  # noqa: E402


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trove-manage", description="Operate a Trove deployment.")
    parser.add_argument("--config-file", action="append", metavar="FILE", help="configuration file; may be repeated")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    manage_schema.add_parser(commands)
    commands.add_parser(
        "seed_local", help="register the engines found on this host as datastore versions, and flavors for them"
    )
    commands.add_parser(
        "local_check", help="tell which tier of the local provider this host can do, and what it lacks for the second"
    )
    manage_catalog.add_parser(commands)
    manage_association.add_parser(commands)
    manage_certificate.add_parser(commands)
    manage_parameters.add_parser(commands)
    manage_purge.add_parser(commands)
    manage_reconciler.add_parser(commands)
    manage_retired.add_parser(commands)
    manage_datastore.add_parser(commands)
    manage_image.add_parser(commands)
    manage_guest.add_parser(commands)
    manage_service.add_parser(commands)
    manage_keys.add_parser(commands)
    manage_workflow.add_parser(commands)
    return parser


def _seed(conf: cfg.ConfigOpts, db: Database) -> int:
    startup.require_schema(db)
    directory = images.directory(conf)
    plugins = datastores.load_plugins()
    with db.writer() as session:
        for line in seed.seed(session, plugins, Images(directory) if directory else None):
            print(line)
    return 0


def _check(conf: cfg.ConfigOpts) -> int:
    missing = {**unreachable(conf), **open_provider(conf).check()}
    for name, why in missing.items():
        print(f"tier 2 lacks {name}: {why}")
    if not missing:
        print("tier 2 works on this host: network namespaces, control groups, XFS volumes")
    print(f"[local] tier is {conf.local.tier}: new instances are made in tier {_tier(conf.local.tier, missing)}")
    return 1 if missing and conf.local.tier == "2" else 0


def _tier(wanted: str, missing: dict[str, str]) -> str:
    if wanted == "auto":
        return "1" if missing else "2"
    return "none" if wanted == "2" and missing else wanted


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    given = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(given)
    if any("\udc80" <= char <= "\udcff" for word in given for char in word):  # see os.fsdecode
        parser.error("an argument has bytes that are no text in the encoding of this terminal")
    conf = startup.configure("trove-manage", [], files=args.config_file)
    # Services wait for a database that is away; somebody at a terminal wants to hear of it, and once is enough.
    conf.set_default("max_retries", 0, group="database")
    logging.getLogger("oslo_db.sqlalchemy.exc_filters").setLevel(logging.CRITICAL)
    if args.command not in ("db_sync", "db_upgrade", "db_recreate"):
        logging.getLogger("alembic").setLevel(logging.WARNING)
    if args.command in manage_retired.COMMANDS:
        return manage_retired.run(args)
    if args.command == "image":
        return manage_image.run(conf, args)
    if args.command == "certificate":
        return manage_certificate.run(conf, args)
    if args.command == "local_check":
        with startup.explained():
            return _check(conf)
    db = startup.connect(conf)
    try:
        with startup.explained(), startup.database_explained():
            if args.command in manage_schema.COMMANDS:
                return int(args.func(db, args))
            if args.command == "seed_local":
                return _seed(conf, db)
            startup.require_schema(db)
            if args.command in manage_catalog.COMMANDS:
                return manage_catalog.run(conf, db, args)
            if args.command in manage_association.COMMANDS:
                return manage_association.run(conf, db, args)
            if args.command in manage_parameters.COMMANDS:
                return manage_parameters.run(conf, db, args)
            if args.command in manage_purge.COMMANDS:
                return manage_purge.run(conf, db, args)
            if args.command == "reconciler":
                return manage_reconciler.run(conf, db, args)
            if args.command == "datastore":
                return manage_datastore.run(db, args)
            if args.command == "guest":
                return manage_guest.run(conf, db, args)
            if args.command == "service":
                return manage_service.run(db, args)
            if args.command == "keys":
                return manage_keys.run(conf, db, args)
            return manage_workflow.run(conf, db, args)
    finally:
        db.dispose()
