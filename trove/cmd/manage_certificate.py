# SPDX-License-Identifier: Apache-2.0
"""``trove-manage certificate renew|list``: the certificates that the control plane issues itself."""

import argparse
import os

from oslo_config import cfg

from trove.certificates import gateway
from trove.certificates.authority import AuthorityError, FileAuthority
from trove.cmd import startup
from trove.common import clock

#: Stands for the moment of what is not there.
_NONE = "not made yet"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``certificate`` and its sub-commands; each sets ``func`` to its function."""
    noun = subparsers.add_parser("certificate", help="see and renew certificates of the control plane's own authority")
    commands = noun.add_subparsers(dest="certificate_command", required=True, metavar="COMMAND")
    text = (
        "make the gateway's certificate, or renew it when less than a third of its life is left; made for a daily "
        "timer. A gateway that runs takes the new one by itself."
    )
    renewal = commands.add_parser("renew", help="make or renew the gateway's certificate", description=text)
    renewal.add_argument("--force", action="store_true", help="also when it is not due")
    renewal.set_defaults(func=renew)
    text = "list the authority and the gateway's certificate, and until when each is good"
    listing = commands.add_parser("list", help=text, description=text)
    listing.set_defaults(func=list_certificates)


def run(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Run the command that was parsed; return the exit code."""
    with startup.explained(AuthorityError):
        return int(args.func(conf, args))


def renew(conf: cfg.ConfigOpts, args: argparse.Namespace) -> int:
    """Make or renew the gateway's certificate."""
    until = gateway.renew(conf, force=args.force)
    if until is None:
        print("The gateway's certificate is not due.")
    else:
        print(f"The gateway has a new certificate, good until {clock.isoformat(until)}.")
    return 0


def list_certificates(conf: cfg.ConfigOpts, _args: argparse.Namespace) -> int:
    """Print what there is."""
    directory, path = conf.certificates.directory, conf.guest_bus.gateway_cert_file
    if directory:
        there = FileAuthority.exists(directory)
        print(f"authority  {directory}  {clock.isoformat(FileAuthority(directory).not_after) if there else _NONE}")
    if path:
        print(f"gateway  {path}  {clock.isoformat(gateway.expiry(path)) if os.path.exists(path) else _NONE}")
    return 0
