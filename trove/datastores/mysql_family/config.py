# SPDX-License-Identifier: Apache-2.0
"""The text of ``my.cnf``, computed from plain values; no I/O.

The server reads this file and no other (``--defaults-file``). Every variable that is written here is among the settable
ones in ``parameters.yaml``; a test keeps the two together. Passwords are never configuration.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from trove.datastores.mysql_family.sizing import Sizing

GENERAL_LOG = "general"
SLOW_LOG = "slow_query"
#: What ``SET GLOBAL`` and ``my.cnf`` call the switch of each; the file is the switch with ``_file``.
LOG_SWITCHES = {GENERAL_LOG: "general_log", SLOW_LOG: "slow_query_log"}
#: Variables whose option has another name.
_OPTIONS = {"time_zone": "default_time_zone"}
#: Longest line of an option file, in bytes. The servers read 4095 at a time, and would take what follows for a line of
#: its own.
_MAX_LINE_BYTES = 4000


@dataclass(frozen=True)
class Settings:
    """What the configuration of one instance is made of.

    :ivar log_dir: directory of the logs that the owner may switch on.
    :ivar logs: those that are on: :data:`GENERAL_LOG`, :data:`SLOW_LOG`.
    :ivar init_file: statements that the first start carries out before anybody can connect.
    """

    sizing: Sizing
    address: str
    port: int
    socket: Path
    pid_file: Path
    tmp_dir: Path
    log_dir: Path
    logs: Collection[str] = ()
    init_file: Path | None = None


def quote(value: object) -> str:
    """Quote a value for an option file.

    :raises ValueError: for a line break, which the file cannot hold.
    """
    text = str(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("a configuration value cannot hold a line break")
    if len(text.encode()) * 2 > _MAX_LINE_BYTES:
        raise ValueError("a configuration value cannot be longer than 2000 bytes")
    # Without the second, a quote within would end the quotation, and "#" after it would begin a comment.
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def common(settings: Settings) -> dict[str, str]:
    """Return ``{variable: value}`` that both sisters take."""
    sizing = settings.sizing
    values = {
        "bind_address": settings.address,
        "port": str(settings.port),
        "socket": str(settings.socket),
        "pid_file": str(settings.pid_file),
        # On the volume: what a query spills must not fill the machine's own disk.
        "tmpdir": str(settings.tmp_dir),
        # Looking up clients' names makes every login depend on somebody's DNS.
        "skip_name_resolve": "ON",
        "local_infile": "OFF",
        "character_set_server": "utf8mb4",
        "max_connections": str(sizing.max_connections),
        "max_allowed_packet": "64M",
        "thread_cache_size": str(sizing.thread_cache),
        "table_open_cache": str(sizing.table_open_cache),
        "table_definition_cache": str(sizing.table_definition_cache),
        "tmp_table_size": f"{sizing.tmp_table}M",
        "max_heap_table_size": f"{sizing.tmp_table}M",
        "key_buffer_size": f"{sizing.key_buffer}M",
        "innodb_buffer_pool_size": f"{sizing.buffer_pool}M",
        "innodb_log_buffer_size": f"{sizing.log_buffer}M",
        "innodb_temp_data_file_path": f"ibtmp1:12M:autoextend:max:{sizing.temporary_max}M",
        "performance_schema": "ON" if sizing.performance_schema else "OFF",
        "log_output": "FILE",
        **{switch: "ON" if name in settings.logs else "OFF" for name, switch in LOG_SWITCHES.items()},
        **{f"{switch}_file": str(log_file(settings.log_dir, name)) for name, switch in LOG_SWITCHES.items()},
    }
    if settings.init_file is not None:
        values["init_file"] = str(settings.init_file)
    return values


def log_file(log_dir: Path, log: str) -> Path:
    """Return the file of a log that the owner may switch on."""
    return log_dir / f"{log}.log"


def spell(value: bool | int | float | str) -> str:
    """Return a value of a configuration group as an option file has it.

    :raises ValueError: for what the file cannot hold.
    """
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    text = str(value)
    quote(text)
    return text


def render(values: Mapping[str, str], group: Mapping[str, str] | None = None) -> str:
    """Return the text of ``my.cnf``; an option with an empty value is written without one.

    :param group: the values of a configuration group; they are a part of their own, and win.
    """
    own = [_line(name, value) if value else name for name, value in values.items() if name not in (group or {})]
    lines = ["# Written by Trove; changes made here are lost.", "[mysqld]", *own]
    if group:
        lines += [
            "# Of the configuration group.",
            *(_line(_OPTIONS.get(name, name), value) for name, value in sorted(group.items())),
        ]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str) -> str:
    return f"{name} = {quote(value)}"


def parse(text: str) -> dict[str, str]:
    """Return ``{variable: value}`` of a file that :func:`render` wrote."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" = ")
        if name and not line.startswith(("#", "[")):
            found[name] = re.sub(r"\\(.)", r"\1", value[1:-1])
    return found
