# SPDX-License-Identifier: Apache-2.0
"""The text of the configuration file, computed from plain values; no I/O.

Every parameter that is written here stands in the engine's ``parameters.yaml``; a test keeps them together. Passwords
are never configuration: the accounts are in the access list (``aclfile``), as hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trove.datastores.redis_family.sizing import Sizing

SOCKET_NAME = "server.sock"
#: Parameters of several words.
_LISTS = frozenset({"client-output-buffer-limit", "latency-tracking-info-percentiles", "oom-score-adj-values", "save"})
ACL_FILE = "users.acl"
AOF_DIRECTORY = "appendonlydir"


@dataclass(frozen=True)
class Settings:
    """What the configuration of one instance is made of."""

    sizing: Sizing
    address: str
    port: int
    socket_dir: Path
    acl_file: Path
    pid_file: Path


def quote(value: str) -> str:
    """Quote a value as ``sdssplitargs`` of the engine reads it.

    :raises ValueError: for a line break or NUL, which no path or address of ours has.
    """
    if any(char in value for char in "\n\r\0"):
        raise ValueError("a configuration value cannot hold a line break")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parameters(settings: Settings) -> dict[str, str]:
    """Return ``{parameter: value}`` for one instance."""
    sizing = settings.sizing
    return {
        "bind": settings.address,
        "port": str(settings.port),
        # Connections to 127.x.y.z leave from 127.0.0.1 unless bound; replicas and sentinels would all look the same.
        "bind-source-addr": settings.address,
        "replica-announce-ip": settings.address,
        "protected-mode": "yes",
        "unixsocket": str(settings.socket_dir / SOCKET_NAME),
        "unixsocketperm": "700",
        "aclfile": str(settings.acl_file),
        "pidfile": str(settings.pid_file),
        "daemonize": "no",
        "supervised": "no",
        # The command line is how the agent knows its server; with a title it would be overwritten.
        "set-proc-title": "no",
        "logfile": "",
        "loglevel": "notice",
        "maxmemory": f"{sizing.maxmemory}mb",
        # A database must not lose what it was given; a cache is a choice its owner has to make.
        "maxmemory-policy": "noeviction",
        "maxmemory-clients": "10%",
        "maxclients": str(sizing.maxclients),
        "io-threads": str(sizing.io_threads),
        "appendonly": "yes",
        # With "always" the server ends itself when the disk is full; with "everysec" it refuses writes and recovers.
        "appendfsync": "everysec",
        "aof-use-rdb-preamble": "yes",
        "aof-load-truncated": "yes",
        "auto-aof-rewrite-percentage": "100",
        "auto-aof-rewrite-min-size": f"{sizing.rewrite_from}mb",
        # No snapshots beside the append-only file: a second copy of everything would need a volume twice as large.
        "save": "",
        "stop-writes-on-bgsave-error": "yes",
        "shutdown-timeout": "30",
        "tcp-keepalive": "60",
        # A crafted payload for RESTORE could otherwise reach memory that is not its own. Valkey 9.1 has no such
        # parameter any more, and takes the line without a word.
        "sanitize-dump-payload": "clients",
        # "no" also for the owner of the socket: nothing loads code into the server, nobody changes where it writes.
        "enable-protected-configs": "no",
        "enable-debug-command": "no",
        "enable-module-command": "no",
    }


def spell(value: bool | int | float | str) -> str:
    """Return a value of a configuration group as the file has it, before it is quoted.

    :raises ValueError: for what the file cannot hold.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    quote(text)
    return text


def render(settings: Settings, group: Mapping[str, str] | None = None) -> str:
    """Return the text of the configuration file.

    :param group: the values of a configuration group; they are a part of their own, and win.
    """
    chosen = group or {}
    own = {name: value for name, value in parameters(settings).items() if name not in chosen}
    lines = ["# Written by Trove; changes made here are lost.", *_lines(own)]
    if chosen:
        lines += ["# Of the configuration group.", *_lines(dict(sorted(chosen.items())))]
    return "\n".join(lines) + "\n"


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{name} {_words(name, value)}" for name, value in values.items()]


def _words(name: str, value: str) -> str:
    """Return a value as the file has it: the engine takes a list only as words, each quoted."""
    if name in _LISTS and value:
        return " ".join(quote(word) for word in value.split())
    return quote(value)
