# SPDX-License-Identifier: Apache-2.0
"""``trove-standalone [--data-dir DIR] up | status | down``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from oslo_config import types

from trove.common import service
from trove.standalone import control, pidfile
from trove.standalone.layout import Layout

DEFAULT_PORT = 8779


def _default_dir() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "trove-standalone"


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not '{text}'")
    return int(text)


def _host(text: str) -> str:
    try:
        return str(types.HostAddress()(text))
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"'{text}' is neither an address nor a host name") from err


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trove-standalone", description="Databases as a service on this host, in one process."
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=_default_dir(),
        metavar="DIR",
        help="where everything is kept (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|status|down")
    up = commands.add_parser("up", help="start the service; databases that were left running are adopted")
    up.add_argument("--host", type=_host, default="127.0.0.1", help="address of the API (default: %(default)s)")
    up.add_argument("--port", type=_port, default=DEFAULT_PORT, help="port of the API (default: %(default)s)")
    up.add_argument(
        "--detach", action="store_true", help="return once the API answers; the service goes on in the background"
    )
    status = commands.add_parser("status", help="show the service and its instances")
    status.add_argument("--json", action="store_true", help="print JSON")
    down = commands.add_parser("down", help="stop the service and its databases; all data stays")
    down.add_argument("--keep-databases", action="store_true", help="stop only the service; databases go on serving")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    layout = Layout(args.data_dir)
    try:
        if args.command == "up":
            return _detach(layout, args) if args.detach else _up(layout, args)
        if args.command == "status":
            return _status(layout, args.json)
        return _down(layout, args.keep_databases)
    except pidfile.AlreadyRunning as err:
        return _fail(f"{err}; stop it with: trove-standalone --data-dir {layout.root} down")
    except control.ControlError as err:
        return _fail(str(err))
    except OSError as err:
        return _fail(f"{err.filename}: {err.strerror}" if err.filename else str(err))
    except ValueError as err:  # a damaged file
        return _fail(str(err))


def _fail(reason: str) -> int:
    print(f"trove-standalone: {reason}", file=sys.stderr)
    return 1


def _up(layout: Layout, args: argparse.Namespace) -> int:
    from trove.api.authn import UsersFileError
    from trove.cmd import startup
    from trove.standalone import app

    # All parts share this process: whoever has become ready waits no longer than this for one that computes.
    sys.setswitchinterval(0.0003)
    layout.create_root()
    lock = pidfile.PidFile(layout.pid)
    lock.acquire()
    try:
        settings = layout.create()
        with startup.explained(app.PortInUse, UsersFileError):
            conf = app.configure(layout, settings)
            conf.set_override("bind_host", args.host)
            conf.set_override("bind_port", args.port)
            conf.set_default("log_file", str(layout.log))
            startup.setup_logging(conf, "trove-standalone")
            service.Process([app.Standalone(layout, settings, conf)]).run()
    finally:
        lock.release()
    return 0


def _detach(layout: Layout, args: argparse.Namespace) -> int:
    before = pidfile.running(layout.pid)
    pid = control.start_in_background(layout, args.host, args.port)
    endpoint = control.endpoint(layout)
    print(f"trove-standalone: serving on {endpoint} (pid {pid})")
    if pid == before and not endpoint.startswith(f"{control.base_url(args.host, args.port)}/"):
        print("trove-standalone: it was running already; another --host or --port counts once it was stopped")
    return 0


def _status(layout: Layout, as_json: bool) -> int:
    document = control.status(layout)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(control.render(document)))
    return 0 if document["running"] else 3


def _down(layout: Layout, keep_databases: bool) -> int:
    for line in control.stop(layout, keep_databases=keep_databases):
        print(f"trove-standalone: {line}")
    return 0
