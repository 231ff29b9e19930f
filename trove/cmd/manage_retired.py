# SPDX-License-Identifier: Apache-2.0
"""Commands of ``trove-manage`` that deployment tools may still call, and that have nothing left to do: they say why and
succeed."""

import argparse

#: Command, its arguments, and why there is nothing to do.
_RETIRED = (
    (
        "set_nova_tags",
        ("--force",),
        "Nothing to do: every server, volume and port carries the id of its instance from the moment it is made.",
    ),
)

#: Commands of this module.
COMMANDS = tuple(name for name, _, _ in _RETIRED)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    for name, flags, reason in _RETIRED:
        parser = subparsers.add_parser(name, help="has nothing to do", description=reason)
        parser.set_defaults(reason=reason)
        for flag in flags:
            parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Say why there is nothing to do."""
    print(args.reason)
    return 0
