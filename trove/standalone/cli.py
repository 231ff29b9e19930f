# SPDX-License-Identifier: Apache-2.0
"""``trove-standalone [--data-dir DIR] up | status | down``."""

import argparse
import errno
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from oslo_config import types

from trove.common import service
from trove.standalone import code, control, pidfile, report, running, space
from trove.standalone.layout import Layout

DEFAULT_HOST = "127.0.0.1"
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
    up.add_argument("--host", type=_host, help=f"address of the API (default: {DEFAULT_HOST})")
    up.add_argument("--port", type=_port, help=f"port of the API (default: {DEFAULT_PORT})")
    up.add_argument(
        "--detach",
        action="store_true",
        help="return once the API answers; the service goes on in the background. One that runs other code than is "
        "installed by now is restarted",
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
    except (control.ControlError, report.Unreadable, space.NoSpace) as err:
        return _fail(str(err))
    except OSError as err:
        if err.errno == errno.ENOSPC:
            return _fail(f"no space left on the file system of {layout.root}; free some and try again")
        return _fail(f"{err.filename}: {err.strerror}" if err.filename else str(err))
    except ValueError as err:  # a damaged file
        return _fail(str(err))


def _fail(reason: str) -> int:
    print(f"trove-standalone: {reason}", file=sys.stderr)
    return 1


def _up(layout: Layout, args: argparse.Namespace) -> int:
    from trove.api.authn import UsersFileError
    from trove.cmd import startup
    from trove.standalone import app, configuration

    # All parts share this process: whoever has become ready waits no longer than this for one that computes.
    sys.setswitchinterval(0.0003)
    layout.create_root()
    space.require(layout.root, space.FOR_SERVICE, "the service needs")
    lock = pidfile.PidFile(layout.pid)
    lock.acquire()
    try:
        running.forget(layout)
        settings = layout.create()
        with startup.explained(app.PortInUse, UsersFileError):
            conf = configuration.configure(layout, settings)
            conf.set_override("bind_host", args.host or DEFAULT_HOST)
            conf.set_override("bind_port", args.port or DEFAULT_PORT)
            conf.set_default("log_file", str(layout.log))
            startup.setup_logging(conf, "trove-standalone")
            service.Process([app.Standalone(layout, settings, conf)]).run()
    finally:
        lock.release()
    return 0


def _detach(layout: Layout, args: argparse.Namespace) -> int:
    before = running.read(layout)
    if before is not None and before.code != code.digest():
        print(
            f"trove-standalone: other code was installed since the service (pid {before.pid}) was started; restarting "
            f"it, databases go on"
        )
        _down(layout, keep_databases=True)
        args.host, args.port = args.host or before.host, args.port or before.port
        before = None
    pid = control.start_in_background(layout, args.host or DEFAULT_HOST, args.port or DEFAULT_PORT, _say)
    print(f"trove-standalone: serving on {report.endpoint(layout)} (pid {pid})")
    if before is not None and pid == before.pid:
        wanted = (args.host or before.host, args.port or before.port)
        if wanted != (before.host, before.port):
            print("trove-standalone: it was running already; another --host or --port counts once it was stopped")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _status(layout: Layout, as_json: bool) -> int:
    if not layout.root.exists() and not as_json:
        _say(f"there is no service in {layout.root}, because that directory does not exist; see --data-dir")
        return 3
    document = report.status(layout)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(report.render(document)))
    return 0 if document["running"] else 3


def _down(layout: Layout, keep_databases: bool) -> int:
    for line in control.stop(layout, keep_databases=keep_databases):
        print(f"trove-standalone: {line}", flush=True)
    return 0
