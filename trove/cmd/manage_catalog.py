# SPDX-License-Identifier: Apache-2.0
"""``trove-manage datastore_update|datastore_version_update``: the catalogue, as deployment tools fill it.

Both make what is missing and update what exists. The management calls of the API do the same and more; these commands
need no running service.
"""

import argparse
import sys
from collections.abc import Callable

from oslo_config import cfg

from trove.api import engines
from trove.common import exception, ids
from trove.datastores import registry as datastores
from trove.db.api import Database
from trove.objects import catalog
from trove.objects.datastore import DatastoreVersion

Function = Callable[[cfg.ConfigOpts, Database, argparse.Namespace], int]

#: Commands of this module.
COMMANDS = ("datastore_update", "datastore_version_update")

_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each sets ``func`` to its function."""
    text = "make a datastore, or set its default version"
    update = subparsers.add_parser("datastore_update", help=text, description=text)
    update.set_defaults(func=_update)
    update.add_argument("datastore_name", help="name of the datastore")
    update.add_argument("default_version", help="name of its default version; '' leaves the default as it is")
    text = "make a datastore version, or change it"
    version = subparsers.add_parser("datastore_version_update", help=text, description=text)
    version.set_defaults(func=_update_version)
    version.add_argument("datastore", help="name of the datastore")
    version.add_argument("version_name", help="name of the version")
    version.add_argument("manager", help="name of the datastore plugin")
    version.add_argument("image_id", help="id of the image; '' for none")
    version.add_argument("packages", help="packages, separated by commas; '' for none")
    version.add_argument("active", type=_truth, help="1: can be ordered; 0: cannot")
    version.add_argument("--image-tags", help="tags of the image, separated by commas, in place of its id")
    version.add_argument("--version", help="version number; default: the name")
    version.add_argument("--registry-ext", help="kept and shown")
    version.add_argument("--repl-strategy", help="kept and shown")


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; a mistake is one line on standard error and exit code 1."""
    try:
        return int(args.func(conf, db, args))
    except exception.TroveError as err:
        print(f"error: {err.message}", file=sys.stderr)
        return 1


def _update(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    with db.writer() as session:
        store = catalog.ensure_datastore(session, args.datastore_name)
        if args.default_version:
            version = DatastoreVersion.get_by_name_or_id(session, store, args.default_version)
            store.set_default(session, version.id)
    print(f"Datastore '{args.datastore_name}' updated.")
    return 0


def _update_version(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    plugins = datastores.load_plugins()
    plugin = plugins.get(args.manager)
    if plugin is None:
        raise exception.BadRequest(
            f"There is no datastore manager '{args.manager}'; installed are: {', '.join(plugins)}."
        )
    if args.image_id and not ids.is_uuid(args.image_id):
        raise exception.BadRequest("image_id must be a UUID, or '' for none.")
    tags = [tag for tag in (args.image_tags or "").split(",") if tag]
    number = args.version or args.version_name
    details: catalog.VersionDetails = {
        "image_id": args.image_id.lower() or None,
        "image_tags": tags,
        "packages": args.packages,
        "active": args.active,
    }
    if args.registry_ext:
        details["registry_ext"] = args.registry_ext
    if args.repl_strategy:
        details["repl_strategy"] = args.repl_strategy
    located = engines.locate(conf, plugin, number)
    if located is not None:
        details["engine_home"], details["root_image"] = str(located.installation.home), located.image
    elif not (args.image_id or tags):
        raise exception.BadRequest(
            f"Give image_id or --image-tags: no engine with the number {number} was found on this host."
        )
    with db.writer() as session:
        catalog.register_version(
            session, datastore=args.datastore, name=args.version_name, version=number, manager=args.manager, **details
        )
    where = f" ({located.source})" if located else ""
    print(f"Datastore version '{args.version_name}' updated{where}.")
    return 0


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError("must be 1 or 0") from None
