# SPDX-License-Identifier: Apache-2.0
"""The text of PostgreSQL's configuration files, computed from plain values; no I/O.

``postgresql.trove.conf`` is included at the end of ``postgresql.conf`` and so overrides it. Every parameter that is
written here stands in ``parameters.yaml``; a test keeps the two together. Passwords are never configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trove.datastores.postgresql import facts
from trove.datastores.postgresql.sizing import Sizing

#: Name of our file in the data directory, and the line that includes it.
FILE_NAME = "postgresql.trove.conf"
INCLUDE = f"include = '{FILE_NAME}'"


@dataclass(frozen=True)
class Settings:
    """What the configuration of one instance is made of."""

    sizing: Sizing
    address: str
    port: int
    socket_dir: Path
    log_dir: Path
    #: Whether the owner wants every statement in the log.
    log_statements: bool = False


def quote(value: object) -> str:
    """Quote a value for ``postgresql.conf``.

    :raises ValueError: for a line break, which the file cannot hold.
    """
    text = str(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("a configuration value cannot hold a line break")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _directory(path: Path) -> str:
    """One entry of a list of directories: double quotes keep commas and blanks in a path from splitting it."""
    return '"' + str(path).replace('"', '""') + '"'


def parameters(settings: Settings) -> dict[str, str]:
    """Return ``{parameter: value}`` for one instance."""
    sizing = settings.sizing
    return {
        "listen_addresses": settings.address,
        "port": str(settings.port),
        # Outside the data directory: a copy of the data would carry the socket's lock file along and not start.
        "unix_socket_directories": _directory(settings.socket_dir),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "max_connections": str(sizing.max_connections),
        # So that the agent can still ask when tenants use every connection.
        "superuser_reserved_connections": "5",
        "shared_buffers": f"{sizing.shared_buffers}MB",
        "effective_cache_size": f"{sizing.effective_cache_size}MB",
        "work_mem": f"{sizing.work_mem}MB",
        "maintenance_work_mem": f"{sizing.maintenance_work_mem}MB",
        "max_worker_processes": str(sizing.max_worker_processes),
        "max_parallel_workers": str(sizing.max_parallel_workers),
        "max_parallel_workers_per_gather": str(sizing.max_parallel_workers_per_gather),
        "wal_level": "replica",
        "max_wal_size": f"{sizing.max_wal_size}MB",
        "min_wal_size": f"{sizing.min_wal_size}MB",
        # A forgotten replication slot must not fill the volume.
        "max_slot_wal_keep_size": f"{sizing.max_slot_wal_keep_size}MB",
        # The default of 5 s is slept through by a standby that is told to promote: measured 5.1 s against 0.1 s.
        "wal_retrieve_retry_interval": "200ms",
        "logging_collector": "on",
        "log_destination": "stderr",
        "log_directory": str(settings.log_dir),
        "log_filename": "postgresql-%Y%m%d-%H%M%S.log",
        "log_file_mode": "0600",
        "log_rotation_age": "1d",
        "log_rotation_size": "10MB",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
        "log_statement": "all" if settings.log_statements else "none",
        # A failed statement may hold a password, and the end of this log travels to the operator with a fault.
        "log_min_error_statement": "panic",
    }


def spell(value: bool | int | float | str) -> str:
    """Return a value of a configuration group as the file has it, before it is quoted.

    :raises ValueError: for what the file cannot hold.
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    quote(text)
    return text


def render(settings: Settings, group: Mapping[str, str] | None = None) -> str:
    """Return the text of ``postgresql.trove.conf``.

    :param group: the values of a configuration group; they are a part of their own, and win.
    """
    # The owner's switch of the log is the newer word.
    chosen = {
        name: value for name, value in (group or {}).items() if name != "log_statement" or not settings.log_statements
    }
    own = {name: value for name, value in parameters(settings).items() if name not in chosen}
    lines = ["# Written by Trove; changes made here are lost.", *_lines(own)]
    if chosen:
        lines += ["# Of the configuration group.", *_lines(dict(sorted(chosen.items())))]
    return "\n".join(lines) + "\n"


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{name} = {quote(value)}" for name, value in values.items()]


def render_hba(*, open_to_clients: bool) -> str:
    """Return the text of ``pg_hba.conf``.

    There is no line with ``trust`` or ``peer``: every connection proves a password. Trove's superuser may use the
    private socket only. Before ``open_to_clients`` nobody else is let in, also not over TCP, where the server already
    listens.
    """
    lines = ["# Written by Trove; changes made here are lost.", f"local all {facts.ADMIN} scram-sha-256"]
    if open_to_clients:
        lines += [
            f"host all {facts.ADMIN} all reject",
            "host all all 0.0.0.0/0 scram-sha-256",
            "host all all ::/0 scram-sha-256",
        ]
    return "\n".join(lines) + "\n"


def parse(text: str) -> Mapping[str, str]:
    """Return ``{parameter: value}`` of a file that :func:`render` wrote."""
    found = {}
    for line in text.splitlines():
        name, separator, value = line.partition(" = ")
        if separator and not line.startswith("#"):
            found[name] = value[1:-1].replace("''", "'").replace("\\\\", "\\")
    return found
