#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write ``parameters.yaml`` of Redis or Valkey from what real servers say of themselves.

    python tools/parameters/redis_family.py redis        # the servers found on this host and in images
    python tools/parameters/redis_family.py valkey [SERVER-PROGRAM ...]

Images are those of the contract suite (``TROVE_TEST_IMAGE_DIR``); their servers are run with bubblewrap.

``CONFIG GET *`` gives names and defaults; there is no catalogue of types. But a server explains every value that it
refuses: "argument must be between 1 and 65535 inclusive", "argument(s) must be one of the following: ...". So each
parameter is tried with values that cannot be right: at start, and, to learn whether a change needs a restart, with
``CONFIG SET``. Of several servers, oldest first, ``since`` and ``until`` are derived.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trove.common import clock
from trove.datastores.redis.product import REDIS
from trove.datastores.redis_family import config, installations
from trove.datastores.redis_family.guest import resp
from trove.datastores.redis_family.product import Product, version_key
from trove.datastores.valkey.product import VALKEY
from trove.tests.contract.datastores import images

PRODUCTS = {product.name: product for product in (REDIS, VALKEY)}
DATASTORES = Path(__file__).resolve().parents[2] / "trove" / "datastores"
#: The last argument of every probe at start; it is refused by all, so that no probe ever runs on.
_STOPPER = ("--tcp-backlog", "the end")
_HUGE = ("9223372036854775807", "-9223372036854775808", "18446744073709551615")
_RANGE = re.compile(r"must be between (-?\d+) and (-?\d+) inclusive")
_ONE_OF = re.compile(r"must be one of the following: (.+)")
_HEADER = """\
# SPDX-License-Identifier: Apache-2.0
# Every parameter that {title} has, made by tools/parameters/redis_family.py from {versions}.
# type: integer, float, string, boolean, enum, octal, size (bytes, or with kb, mb, gb) or size-or-percent.
# restart: whether a change needs one; since, until: first and last of those series that have it.
"""


@dataclass(frozen=True)
class Server:
    """A server program, perhaps of an image with the root file system ``root``."""

    program: Path
    root: Path | None = None

    def argv(self, directory: str) -> list[str]:
        """Return the words that run it; it may write in ``directory``."""
        if self.root is None:
            return [str(self.program)]
        inside = ["--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        return ["bwrap", "--die-with-parent", *inside, "--bind", directory, directory, str(self.program)]


@contextlib.contextmanager
def running(program: Server) -> Iterator[resp.Connection]:
    """Start a server with its defaults and yield a connection to it."""
    with tempfile.TemporaryDirectory(prefix="params-") as name:
        directory = Path(name)
        server = subprocess.Popen(
            [*program.argv(name), "--port", "0", "--unixsocket", str(directory / config.SOCKET_NAME), "--dir", name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=name,
        )
        try:
            socket = directory / config.SOCKET_NAME
            deadline = clock.monotonic() + 10
            while not socket.exists() and clock.monotonic() < deadline:
                clock.sleep(0.02)
            with resp.connected(socket, 600) as connection:
                yield connection
        finally:
            server.kill()
            server.wait()


def defaults(connection: resp.Connection) -> dict[str, str]:
    """Return ``{parameter: default}``, sorted."""
    words = connection.call("CONFIG", "GET", "*")
    return dict(sorted(zip(words[::2], (str(value) for value in words[1::2]), strict=True)))


def refusal(program: Server, name: str, value: str) -> str:
    """Return what a server that is started with a value says against it; empty when it accepts it."""
    with tempfile.TemporaryDirectory(prefix="params-") as directory:
        ended = subprocess.run(
            [*program.argv(directory), f"--{name}", value, *_STOPPER],
            capture_output=True,
            text=True,
            timeout=20,
            cwd=directory,
            check=False,
        )
    lines = [line.strip() for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    accused = [number for number, line in enumerate(lines) if line.startswith(f">>> '{name} ")]
    return lines[accused[0] + 1] if accused and accused[0] + 1 < len(lines) else ""


def describe(program: Server, name: str, default: str) -> dict[str, Any]:
    """Return type, unit, range and values of one parameter."""
    said = refusal(program, name, "bogus")
    found: dict[str, Any] = {"type": "string"}
    choices = _ONE_OF.search(said)
    if choices:
        found = {"type": "enum", "values": [word.strip() for word in choices.group(1).split(",")]}
    elif "must be 'yes' or 'no'" in said:
        found = {"type": "boolean"}
    elif "octal" in said:
        found = {"type": "octal"}
    elif "memory or percent" in said:
        found = {"type": "size-or-percent", "unit": "B"}
    elif "memory value" in said:
        found = {"type": "size", "unit": "B"}
    elif "into an integer" in said:
        found = {"type": "integer"}
    elif "float" in said or "double" in said:
        found = {"type": "float"}
    if found["type"] in ("octal", "size", "size-or-percent", "integer", "float"):
        for value in (*_HUGE, "0"):
            bounds = _RANGE.search(refusal(program, name, value))
            if bounds:
                found["min"], found["max"] = int(bounds.group(1)), int(bounds.group(2))
                break
    if found["type"] == "enum" and "yes" in found["values"] and set(found["values"]) == {"yes", "no"}:
        found = {"type": "boolean"}
    return {**found, "default": default}


def needs_restart(connection: resp.Connection, name: str, default: str) -> bool:
    """Tell whether the running server refuses any change, as it does of immutable and protected parameters."""
    answer = connection.ask("CONFIG", "SET", name, default)
    return isinstance(answer, resp.ReplyError) and ("immutable" in answer.text or "protected" in answer.text)


def read(program: Server) -> dict[str, dict[str, Any]]:
    """Return ``{parameter: description}`` of one server."""
    with running(program) as connection:
        known = defaults(connection)
        restarts = {name: needs_restart(connection, name, value) for name, value in known.items()}
    # The directory of the probe, and what depends on how it was started, are nobody's default.
    own = {"dir": "", "unixsocket": "", "port": "6379"}
    return {
        name: {**describe(program, name, own.get(name, value)), "restart": restarts[name]}
        for name, value in known.items()
    }


def merge(product: Product, servers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return the newest description of each parameter, with ``since`` and ``until``, by series, where it is not in all
    versions."""
    versions = sorted(servers, key=version_key)

    def series(version: str) -> str:
        return next(
            name for name in product.versions if version_key(version)[: len(version_key(name))] == version_key(name)
        )

    merged: dict[str, dict[str, Any]] = {}
    for name in sorted({name for found in servers.values() for name in found}):
        having = [version for version in versions if name in servers[version]]
        merged[name] = dict(servers[having[-1]][name])
        if series(having[0]) != series(versions[0]):
            merged[name]["since"] = series(having[0])
        if series(having[-1]) != series(versions[-1]):
            merged[name]["until"] = series(having[-1])
    return merged


def render(product: Product, servers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the text of ``parameters.yaml``."""
    versions = " and ".join(f"{product.title} {version}" for version in sorted(servers, key=version_key))
    lines = [_HEADER.format(title=product.title, versions=versions)]
    for name, description in merge(product, servers).items():
        flow = yaml.safe_dump(description, default_flow_style=True, sort_keys=False, width=10000).strip()
        lines.append(f"{name}: {flow}\n")
    return "".join(lines)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("product", choices=sorted(PRODUCTS))
    parser.add_argument("program", nargs="*", type=Path, help="server programs; default: those found on this host")
    arguments = parser.parse_args()
    product = PRODUCTS[arguments.product]
    places = [(path.resolve().parent, Path("/")) for path in arguments.program] or [
        *((item.home, Path("/")) for item in installations.find(product)),
        *((item.home, item.root) for name, item in images.installed() if name == product.name),
    ]
    servers = {}
    for home, root in places:
        version, program = installations.read_version(product, home, root), installations.program(product, home, root)
        if version is None or program is None:
            raise SystemExit(f"there is no {product.title} of a known version in {home}")
        servers[version] = read(Server(program, None if root == Path("/") else root))
        print(f"{product.title} {version}: {len(servers[version])} parameters")
    if not servers:
        raise SystemExit(f"there is no {product.title} here; name a server program")
    target = DATASTORES / product.name / "parameters.yaml"
    target.write_text(render(product, servers), encoding="utf-8")
    print(f"written to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
