# SPDX-License-Identifier: Apache-2.0
"""``trove-manage datastore_version_flavor_add|…_volume_type_list``: restrict a datastore version to some flavors and
volume types.

A version without any may use all. Taking away the last one therefore lifts the restriction.
"""

import argparse
import sys
from collections.abc import Callable

from oslo_config import cfg
from sqlalchemy.orm import Session

from trove.common import exception
from trove.db.api import Database
from trove.objects import association
from trove.objects.association import Kind
from trove.objects.datastore import Datastore, DatastoreVersion
from trove.objects.flavor import Flavor
from trove.objects.volume_type import VolumeType

Change = Callable[[Session, DatastoreVersion, Kind, list[str]], None]

_NOUNS = {Kind.FLAVOR: "flavor", Kind.VOLUME_TYPE: "volume type"}
_ACTIONS = ("add", "delete", "list")

#: Commands of this module.
COMMANDS = tuple(f"datastore_version_{kind.value}_{action}" for kind in Kind for action in _ACTIONS)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each sets ``func`` to its function, and ``kind``."""
    texts = {
        "add": ("restrict a datastore version to these {}s, besides those it has", _add),
        "delete": ("take {}s from those a datastore version is restricted to", _delete),
        "list": ("list the {}s that a datastore version is restricted to", _list),
    }
    for kind, noun in _NOUNS.items():
        for action, (text, func) in texts.items():
            parser = subparsers.add_parser(
                f"datastore_version_{kind.value}_{action}", help=text.format(noun), description=text.format(noun)
            )
            parser.set_defaults(func=func, kind=kind)
            parser.add_argument("datastore_name", help="name or id of the datastore")
            parser.add_argument("datastore_version_name", help="name or id of the version")
            parser.add_argument("--version", help="version number, when several versions have the name")
            if action != "list":
                parser.add_argument("values", nargs="+", metavar="ID", help=f"ids of {noun}s, also separated by commas")


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; a mistake is one line on standard error and exit code 1."""
    try:
        with db.writer() as session:
            store = Datastore.get_by_name_or_id(session, args.datastore_name)
            version = DatastoreVersion.get_by_name_or_id(session, store, args.datastore_version_name, args.version)
            return int(args.func(session, version, args))
    except exception.TroveError as err:
        print(f"error: {err.message}", file=sys.stderr)
        return 1


def _add(session: Session, version: DatastoreVersion, args: argparse.Namespace) -> int:
    values = _values(args)
    unknown = sorted(set(values) - _known(session, args.kind))
    if unknown:
        print(f"error: there is no {_NOUNS[args.kind]} {', '.join(unknown)}; nothing was changed", file=sys.stderr)
        return 1
    association.add(session, version, args.kind, values)
    return _list(session, version, args)


def _delete(session: Session, version: DatastoreVersion, args: argparse.Namespace) -> int:
    values = _values(args)
    missing = sorted(set(values) - set(association.values(session, version.id, args.kind)))
    if missing:
        print(
            f"error: version '{version.name}' is not restricted to {_NOUNS[args.kind]} {', '.join(missing)}; nothing "
            f"was changed",
            file=sys.stderr,
        )
        return 1
    association.remove(session, version, args.kind, values)
    return _list(session, version, args)


def _list(session: Session, version: DatastoreVersion, args: argparse.Namespace) -> int:
    values = association.values(session, version.id, args.kind)
    noun = _NOUNS[args.kind]
    if values:
        print(f"{version.datastore_name} {version.name} may use {noun}s: {', '.join(values)}")
    else:
        print(f"{version.datastore_name} {version.name} may use all {noun}s")
    return 0


def _values(args: argparse.Namespace) -> list[str]:
    return [value for text in args.values for value in text.split(",") if value]


def _known(session: Session, kind: Kind) -> set[str]:
    rows = Flavor.list(session) if kind is Kind.FLAVOR else VolumeType.list(session)
    return {str(row.id) for row in rows}
