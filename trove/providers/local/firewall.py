# SPDX-License-Identifier: Apache-2.0
"""Who may reach an instance of tier 2: packet rules in its own network namespace, by nftables.

Rules live and die with the namespace, so nothing of them is left on the host; whoever makes the namespace again loads
them again from the port's record. They are replaced in one step: there is no moment without them.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from trove.providers import base
from trove.providers.local import commands

PROGRAM = "nft"
_TABLE = "inet trove"


def available() -> bool:
    """Tell whether this host has nftables' program."""
    return commands.find(PROGRAM) is not None


def ruleset(port: int, cidrs: Sequence[str]) -> str:
    """Return the rules that let only ``cidrs`` reach TCP ``port``; without any, rules that let everybody.

    The namespace's own loopback interface is never in question: it is how an engine's own tools may connect.

    :raises base.FatalError: when one of ``cidrs`` is not a network.
    """
    # The empty table is made first, so that deleting it is no error when there was none.
    lines = [f"table {_TABLE}", f"delete table {_TABLE}"]
    if cidrs:
        networks = [_network(cidr) for cidr in cidrs]
        lines += [
            f"table {_TABLE} {{",
            "  chain input {",
            "    type filter hook input priority filter; policy accept;",
            "    iifname lo accept",
            *(_accept(port, networks, version, family) for version, family in ((4, "ip"), (6, "ip6"))),
            f"    tcp dport {port} drop",
            "  }",
            "}",
        ]
    return "\n".join(line for line in lines if line) + "\n"


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError as err:
        raise base.FatalError(f"'{cidr}' is not a network: {err}") from err


def _accept(
    port: int, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network], version: int, family: str
) -> str:
    mine = ipaddress.collapse_addresses(n for n in networks if n.version == version)  # type: ignore[type-var]
    named = ", ".join(map(str, mine))
    return f"    tcp dport {port} {family} saddr {{ {named} }} accept" if named else ""


def load(namespace: Path, port: int, cidrs: Sequence[str]) -> None:
    """Put the rules of :func:`ruleset` in force in the network namespace that is mounted on ``namespace``.

    :raises base.FatalError: when the host lacks nftables.
    :raises commands.ToolError: when the kernel refuses them.
    """
    program = commands.find(PROGRAM)
    if program is None:
        raise base.FatalError(f"this host lacks the program '{PROGRAM}': apt install nftables")
    # Not "ip netns exec", which takes a copy of every mount along.
    commands.run("nsenter", f"--net={namespace}", program, "-f", "-", lines=ruleset(port, cidrs).splitlines())
