# SPDX-License-Identifier: Apache-2.0
"""``trove-manage datastore list``: what can be ordered here, where it comes from, and how well it is tested."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from trove.datastores import registry as datastores
from trove.datastores import spi
from trove.db.api import Database
from trove.objects.datastore import DatastoreVersion

_COLUMNS = ("datastore", "version", "default", "active", "source", "tested", "capabilities")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``datastore`` and its sub-commands."""
    datastore = subparsers.add_parser("datastore", help="see what can be ordered")
    commands = datastore.add_subparsers(dest="datastore_command", required=True, metavar="COMMAND")
    text = "list datastore versions: source, capabilities, level of testing with the date of the last real run"
    listing = commands.add_parser("list", help=text, description=text)
    listing.add_argument("--all", action="store_true", help="those that are not active as well")
    listing.add_argument("--json", action="store_true", help="print JSON")


def run(db: Database, args: argparse.Namespace) -> int:
    """Print one line per version; return the exit code."""
    with db.reader() as session:
        versions = DatastoreVersion.list(session, active_only=not args.all)
    plugins = datastores.load_plugins()
    homes = {name: {str(found.home): found.source for found in plugin.detect()} for name, plugin in plugins.items()}
    rows = [describe(version, plugins, homes.get(version.manager, {})) for version in versions]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    lines = [list(_COLUMNS), *([_text(row[column]) for column in _COLUMNS] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def describe(
    version: DatastoreVersion, plugins: Mapping[str, spi.Plugin], sources: Mapping[str, str]
) -> dict[str, Any]:
    """Return one row.

    :param sources: ``{home: source}`` of the engines found on this host.
    """
    plugin = plugins.get(version.manager)
    if version.root_image:
        source = f"image {version.root_image}"
    elif version.image_id:
        source = f"glance {version.image_id}"
    elif version.engine_home:
        source = sources.get(version.engine_home, "not found")
    else:
        source = "-"
    run = spi.last_run(plugin, version.version) if plugin else None
    return {
        "datastore": version.datastore_name,
        "version": version.name,
        "default": version.is_default,
        "active": version.active,
        "source": source,
        "tested": f"{run.level}, {run.date}" if run else "never",
        "capabilities": sorted(capability.value for capability in plugin.capabilities) if plugin else ["no plugin"],
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return " ".join(value) if isinstance(value, list) else str(value)
