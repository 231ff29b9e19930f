# SPDX-License-Identifier: Apache-2.0
"""Does the server answer and take writes? If not: why, and what the owner can do, in one sentence.

A server of this family keeps answering while it refuses every write, so a ping proves little; its own counters are
looked at too. Facts (redis.conf and ``processCommand`` in server.c): while the append-only file cannot be written, each
write is refused with ``MISCONF``, deletions included; above ``maxmemory`` with the policy ``noeviction``, each write
that may need memory is refused with ``OOM``, deletions excluded. Both heal by themselves when the cause is gone.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from trove.datastores.enginelib import conditions
from trove.datastores.enginelib.lifecycle import PROBE_TIMEOUT, NoAnswer
from trove.datastores.redis_family.guest import resp

#: Not the common remedy: a full volume makes the server refuse deletions too.
DISK_FULL = conditions.Condition(
    "disk-full",
    "The data volume is full, and the server refuses all writes, deletions included.",
    "Resize the volume; the database goes on by itself.",
)
_CANNOT_WRITE = (
    "Writing to the data volume fails, so the server refuses all writes. It tries again each second; resize the volume "
    "if it is full, else ask the operator."
)
_REASONS = {
    "LOADING": "The database server is loading its data into memory; wait until it has.",
    "BUSY": "A script keeps the database server busy; end it with SCRIPT KILL or FUNCTION KILL, or restart.",
    "MISCONF": _CANNOT_WRITE,
    "WRONGPASS": "The database server does not accept Trove's own account any more; restart the instance.",
}


def probe(address: resp.Address) -> None:
    """Return when the server answers and takes writes.

    :raises NoAnswer: with one sentence for the owner.
    """
    try:
        with resp.session(address, PROBE_TIMEOUT) as connection:
            connection.call("PING")
            info = resp.parse_info(connection.call("INFO", "all"))
    except resp.Unreachable as err:
        raise NoAnswer(f"The database server does not answer: {err}.") from err
    except resp.ReplyError as err:
        raise NoAnswer(reason(err)) from err
    problem = judge(info)
    if problem:
        raise NoAnswer(problem)


def judge(info: Mapping[str, str]) -> str | None:
    """Return what keeps a server that answers from taking writes, or ``None``."""
    if info.get("loading") == "1":
        return _REASONS["LOADING"]
    if write_fails(info):
        return _CANNOT_WRITE
    limit = int(info.get("maxmemory", "0"))
    # What the engine compares itself; buffers for replicas and the append-only file do not count.
    used = int(info.get("used_memory", "0")) - int(info.get("mem_not_counted_for_evict", "0"))
    if limit and used > limit and info.get("maxmemory_policy", "noeviction") == "noeviction":
        return (
            f"The memory for data ({limit // 2**20} MiB) is full, so new data is refused. Delete some of it, or resize "
            "the instance to a larger flavor."
        )
    return None


def write_fails(info: Mapping[str, str]) -> bool:
    """Tell whether the last write of the append-only file failed: what came after is in memory only."""
    return info.get("aof_last_write_status", "ok") != "ok"


def reason(err: resp.ReplyError) -> str:
    """Return what a refusal means for the owner; unknown ones in the server's own words, of which none are secrets."""
    if resp.TOO_MANY in err.text:
        return "All client connections are in use; close some of them."
    return _REASONS.get(err.code, err.text)


def log_bytes(directory: Path) -> int | None:
    """Return the size in bytes of the append-only files, ``None`` when it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return None
