# SPDX-License-Identifier: Apache-2.0
"""Which servers of this host really run, for somebody who only looks: nothing is made, locked, reaped or signalled.

:class:`.servers.Servers` compares the same facts in order to act on them.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trove.providers.local import processes
from trove.providers.local.records import KINDS, Record, slug
from trove.providers.local.starting import STATE


class Seen(NamedTuple):
    """Whether a server's agent runs, and whether anything else of it does, which is its engine."""

    agent: bool
    engine: bool


def take(base_dir: Path) -> dict[str, Seen]:
    """Return what runs of each server below ``base_dir``, by the name of its directory, an instance's id."""
    return {directory.name: _look(base_dir, record) for directory, record in _records(base_dir)}


def _records(base_dir: Path) -> Iterator[tuple[Path, Record]]:
    for path in sorted((base_dir / KINDS["server"]).glob("*/server.json")):
        try:
            yield path.parent, json.loads(path.read_bytes())
        except (OSError, ValueError):  # it is being removed
            continue


def _look(base_dir: Path, record: Record) -> Seen:
    directory = base_dir / KINDS["server"] / slug("server", record["tag"])
    volume = base_dir / KINDS["volume"] / slug("volume", record["volume_tag"])
    try:
        uid = (directory / STATE).stat().st_uid
    except OSError:
        uid = os.getuid()
    real = (os.path.realpath(directory), os.path.realpath(volume))
    members = processes.find_members(
        processes.Membership(record["tag"], real, uid, tuple(record.get("cgroups", ())))
    )
    agent = [member for member in members if (member.pid, member.started) == (record["pid"], record["started"])]
    return Seen(bool(agent), len(members) > len(agent))
