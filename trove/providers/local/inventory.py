# SPDX-License-Identifier: Apache-2.0
"""Which servers of this host really run, for somebody who only looks: nothing is made, locked, reaped or signalled.

:class:`.servers.Servers` compares the same facts in order to act on them.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trove.providers.local import accounts, cgroups, processes
from trove.providers.local.agent_launcher import STATE
from trove.providers.local.records import KINDS, Record, slug

_PROC = Path("/proc")
_AGENT_AND_ENGINE = 2


class Running(NamedTuple):
    """Whether a server's agent runs, and whether anything else of it does, which is its engine."""

    agent: bool
    engine: bool


def running_servers(base_dir: Path) -> dict[str, Running]:
    """Return what runs of each server below ``base_dir``, by the name of its directory, an instance's id.

    All processes of the host are looked at once, however many servers there are.
    """
    marked: dict[str, set[int]] = {}
    nameless: set[int] = set()
    for pid in (int(name) for name in os.listdir(_PROC) if name.isdigit()):
        mark = processes.mark_of(pid)
        if mark:
            marked.setdefault(mark, set()).add(pid)
        elif mark is None:
            nameless.add(pid)
    found: dict[str, Running] = {}
    for path, record in _records(base_dir):
        with contextlib.suppress(KeyError, TypeError):  # it is no record of a server; the service reports that
            found[path.name] = _look(base_dir, record, marked, nameless)
    return found


def _records(base_dir: Path) -> Iterator[tuple[Path, Record]]:
    for path in sorted((base_dir / KINDS["server"]).glob("*/server.json")):
        try:
            yield path.parent, json.loads(path.read_bytes())
        except (OSError, ValueError):  # it is being removed
            continue


def _look(base_dir: Path, record: Record, marked: dict[str, set[int]], nameless: set[int]) -> Running:
    found = set(marked.get(record["tag"], ()))
    found.update(cgroups.members(record.get("cgroups", ())))
    if len(found) < _AGENT_AND_ENGINE:  # an engine may have written its title over the mark
        membership = _membership(base_dir, record)
        found.update(pid for pid in nameless if membership.marked(pid))
    living = {identity for pid in found if (identity := processes.identify(pid)) is not None}
    agent = {processes.Identity(record["pid"], record["started"])} & living
    return Running(bool(agent), bool(living - agent))


def _membership(base_dir: Path, record: Record) -> processes.Membership:
    directory = base_dir / KINDS["server"] / slug("server", record["tag"])
    volume = base_dir / KINDS["volume"] / slug("volume", record["volume_tag"])
    try:
        uid = (directory / STATE).stat().st_uid
    except OSError:
        uid = os.getuid()
    directories = os.path.realpath(directory), os.path.realpath(volume)
    return processes.Membership(record["tag"], directories, uid, exclusive=accounts.holds(uid, volume))
