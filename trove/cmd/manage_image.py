# SPDX-License-Identifier: Apache-2.0
"""``trove-manage image build|list|show|verify|remove``: engine versions for the local provider, as root file systems.

Only ``remove`` looks into the database, to refuse what instances run from; the others work without one, so that an
image can be built before anything else is set up.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oslo_config import cfg

from trove.datastores import registry as datastores
from trove.db.api import Database
from trove.objects import catalog
from trove.providers.local import images
from trove.providers.local.images import build
from trove.providers.local.images.manifest import Engine, ImageError
from trove.providers.local.images.store import ROOT, Entry, Images

Function = Callable[[cfg.ConfigOpts, argparse.Namespace], int]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``image`` and its sub-commands; each sets ``func`` to its function."""
    image = subparsers.add_parser("image", help="root file systems from which the local provider runs engines")
    commands = image.add_subparsers(dest="image_command", required=True, metavar="COMMAND")

    def add(name: str, func: Function, text: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(func=func)
        parser.add_argument(
            "--image-dir", metavar="DIR", help="where images are (default: [local] image_dir, else below base_dir)"
        )
        if name in ("list", "show"):
            parser.add_argument("--json", action="store_true", help="print JSON")
        if name != "list":
            parser.add_argument("name", help="name of the image")
        return parser

    made = add("build", build_image, "build an image; an interrupted build is run again with the same command")
    made.add_argument("--suite", required=True, help="a suite of the distribution, for example trixie")
    made.add_argument(
        "--packages",
        required=True,
        metavar="LIST",
        help="packages to install, separated by commas, for example postgresql-17,procps",
    )
    made.add_argument(
        "--mirror",
        action="append",
        metavar="URL",
        default=[],
        help="archive that has the suite; may be repeated (default: those that apt on this host uses)",
    )
    made.add_argument(
        "--allow-expired-release",
        action="store_true",
        help="accept an archive whose signed index is no longer valid; security updates may be missing: for tests only",
    )
    add("list", list_images, "list images, incomplete ones included")
    add("show", show_image, "show what is in an image")
    add("verify", verify_image, "read all of an image and compare it with its manifest")
    removed = add("remove", remove_image, "delete an image; its datastore versions are deactivated")
    removed.add_argument("--force", action="store_true", help="also when instances use it: they will not start again")


def run(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Run the sub-command that was parsed; return the exit code."""
    try:
        return int(args.func(conf, args))
    except (ImageError, OSError) as err:
        print(f"trove-manage: {err}", file=sys.stderr)
    except KeyboardInterrupt:
        print("trove-manage: interrupted; run the same command again to go on", file=sys.stderr)
    return 1


def build_image(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Build one image, saying what is done."""
    request = build.Request(
        name=args.name,
        suite=args.suite,
        packages=tuple(dict.fromkeys(part for part in args.packages.split(",") if part)),
        mirrors=tuple(args.mirror),
        allow_expired=args.allow_expired_release,
    )
    build.Builder(_images(conf, args), detect, lambda line: print(line, flush=True)).build(request)
    return 0


def list_images(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Print one line per image."""
    found = _images(conf, args)
    rows = [_row(found, entry) for entry in found.entries()]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        engines = ", ".join(row["engines"]) or "-"
        size = f"{row['bytes'] / 2**20:.0f} MiB" if row["bytes"] is not None else "-"
        print(f"{row['name']:24} {row['suite'] or '-':10} {size:>9}  {row['state']:9}  {row['problem'] or engines}")
    if not rows:
        print(f"no images in {found.directory}", file=sys.stderr)
    return 0


def show_image(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Print the manifest."""
    manifest = _images(conf, args).get(args.name)
    if args.json:
        print(json.dumps(asdict(manifest), indent=2))
        return 0
    for name, value in asdict(manifest).items():
        if name == "engines":
            value = [f"{engine['manager']} {engine['version']} in {engine['home']}" for engine in value]
        elif name == "installed":
            value = [f"{package} {version}" for package, version in value.items()]
        lines = list(value) if isinstance(value, list | tuple) else [value]
        for number, line in enumerate(lines or ["-"]):
            print(f"{name if not number else '':20}{line}")
    return 0


def verify_image(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Compare every byte."""
    _images(conf, args).verify(args.name)
    print(f"the image '{args.name}' is what was built")
    return 0


def remove_image(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Delete one image, unless instances run from it."""
    if conf.database.connection:
        db = Database.from_conf(conf)
        with db.writer() as session:
            versions = [v for v in catalog.DatastoreVersion.list(session) if v.root_image == args.name]
            used = sum(version.count_instances(session) for version in versions)
            if used and not args.force:
                print(
                    f"trove-manage: {used} instances use the image '{args.name}' and would not start again; delete "
                    "them first, or remove it with --force",
                    file=sys.stderr,
                )
                return 1
            for version in versions:
                version.active = False
                version.save(session)
                print(f"datastore {version.datastore_name} {version.name} is deactivated")
    if not _images(conf, args).remove(args.name):
        print(f"trove-manage: there is no image '{args.name}'", file=sys.stderr)
        return 1
    print(f"the image '{args.name}' is removed")
    return 0


def detect(root: Path) -> Iterator[Engine]:
    """Yield the engines in a root file system that the installed datastore plugins know."""
    for name, plugin in sorted(datastores.load_plugins().items()):
        for found in plugin.detect(root):
            yield Engine(name, found.version, str(found.home))


def _images(conf: cfg.ConfigOpts, args: argparse.Namespace) -> Images:
    if args.image_dir:
        return Images(Path(args.image_dir))
    configured = images.directory(conf)
    if configured is None:
        raise ImageError("name a directory: [local] image_dir in the configuration file, or --image-dir")
    return Images(configured)


def _row(images: Images, entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    # A plugin that was installed after the build knows more than the manifest.
    engines = {*manifest.engines, *detect(images.directory / entry.name / ROOT)} if manifest else set()
    return {
        "name": entry.name,
        "state": "complete" if manifest else "unusable",
        "problem": entry.problem,
        "suite": manifest.suite if manifest else None,
        "engines": sorted(f"{engine.manager} {engine.version}" for engine in engines),
        "bytes": manifest.bytes if manifest else None,
        "checksum": manifest.checksum if manifest else None,
    }
