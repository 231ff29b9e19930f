# SPDX-License-Identifier: Apache-2.0
"""``trove-manage keys rotate|status``: the keys that protect what the database holds encrypted."""

import argparse
import json
import sys

from oslo_config import cfg

from trove.cmd import arguments, startup
from trove.common import clock
from trove.db import crypto, rotation
from trove.db.api import Database
from trove.db.rotation import Use

#: Rows that do not open and are named one by one.
_NAMED = 20


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``keys`` and its sub-commands; each sets ``func`` to its function."""
    keys = subparsers.add_parser("keys", help="see and rotate the keys that encrypt stored secrets")
    commands = keys.add_subparsers(dest="keys_command", required=True, metavar="COMMAND")
    text = "list how many values of which column need which key"
    listing = commands.add_parser("status", help=text, description=text)
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(func=status)
    text = (
        "encrypt everything anew under the key that writes, while services go on; safe to interrupt and to repeat. The "
        "exit code is 1 when a value does not open or another key is still needed."
    )
    anew = commands.add_parser("rotate", help="encrypt everything under the key that writes", description=text)
    anew.add_argument(
        "--batch-size", type=arguments.rows, default=200, metavar="N", help="rows of one transaction (default: 200)"
    )
    anew.add_argument(
        "--pause", type=arguments.pause, default=0.1, metavar="SECONDS", help="wait between two batches (default: 0.1)"
    )
    anew.set_defaults(func=rotate)


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; return the exit code."""
    startup.install_key(conf)
    return int(args.func(db, args))


def status(db: Database, args: argparse.Namespace) -> int:
    """Print the keys that are configured, and what needs which."""
    keyring = crypto.current()
    with db.reader() as session:
        uses = rotation.uses(session)
    if args.json:
        print(json.dumps({
            "writes": keyring.writer.id, "accepted": keyring.ids, "ciphertext_version": keyring.version,
            "values": [use._asdict() for use in uses],
        }))  # fmt: skip
        return 0
    print(f"key {keyring.writer.id} writes, in format {keyring.version}")
    for key_id in keyring.ids[1:]:
        print(f"key {key_id} is accepted")
    for use in uses:
        print(f"{use.column}  {_named(use)}  {use.values}")
    for line in _conclusions(keyring, uses):
        print(line)
    return 0


def rotate(db: Database, args: argparse.Namespace) -> int:
    """Encrypt everything anew; print how far it is, and what is still needed."""
    keyring = crypto.current()
    if keyring.version != crypto.BOUND:
        print(
            "error: set [security] ciphertext_version to 2 first, when no process of the former release runs any more: "
            "those cannot read what this writes",
            file=sys.stderr,
        )
        return 1
    broken = 0
    for column in rotation.columns():
        looked = written = 0
        for batch in rotation.batches(db, column, args.batch_size):
            looked, written = looked + batch.looked, written + batch.written
            for reason in batch.broken[: max(0, _NAMED - broken)]:
                print(f"error: {reason}", file=sys.stderr)
            broken += len(batch.broken)
            if batch.position is not None:
                print(f"{column.label}: {written} encrypted anew so far", flush=True)
                if args.pause > 0:
                    clock.sleep(args.pause)
        print(f"{column.label}: {written} encrypted anew", flush=True)
    if broken > _NAMED:
        print(f"error: {broken - _NAMED} more do not open", file=sys.stderr)
    with db.reader() as session:
        uses = rotation.uses(session)
    for line in _conclusions(keyring, uses):
        print(line)
    return 1 if broken or _others(keyring, uses) else 0


def _others(keyring: crypto.Keyring, uses: list[Use]) -> list[Use]:
    return [use for use in uses if use.key_id != keyring.writer.id]


def _conclusions(keyring: crypto.Keyring, uses: list[Use]) -> list[str]:
    """Say of each key but the writer whether it is still needed."""
    needed = {use.key_id for use in _others(keyring, uses)}
    if None in needed:
        return [
            "Values of format 1 do not name their key: keep every key until 'trove-manage keys rotate' has left none."
        ]
    lines = [f"Key {key_id} is not needed any more." for key_id in keyring.ids[1:] if key_id not in needed]
    for key_id in sorted(item for item in needed if item is not None):
        here = "is still needed" if key_id in keyring.ids else "is needed and not configured"
        lines.append(f"Key {key_id} {here}.")
    return lines or ["No other key is needed."]


def _named(use: Use) -> str:
    return "format 1, no key id" if use.key_id is None else f"key {use.key_id}"
