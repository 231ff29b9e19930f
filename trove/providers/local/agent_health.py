# SPDX-License-Identifier: Apache-2.0
"""What the end of an agent means for its server.

An agent that ends soon after its start cannot run, as likely as not: it is started again after a longer pause each
time, and after :data:`QUICK_ENDS` of those in a row its server is FAILED. Some exit statuses say at once that only an
operator can help (:data:`NEED_OPERATOR`). Starts go on, slowly, in either case: what is wrong may be mended.

An agent that runs and does nothing has hung. It gives a sign of life every few seconds (:mod:`trove.common.watchdog`);
without one for :data:`PATIENCE` seconds it is ended and another one started. Its engine goes on meanwhile.
"""

import os
from pathlib import Path

from trove.common import clock, redact
from trove.common.backoff import EXACT, Backoff
from trove.providers.local.records import Record

#: An agent that ends within this many seconds of its start counts as one that cannot run …
QUICK = 10.0
#: … and after this many of those in a row its server is FAILED.
QUICK_ENDS = 5
#: Pauses between two starts of one that ended soon.
STARTS = Backoff(first=2.0, cap=60.0, jitter=EXACT)

#: Seconds without a sign of life after which an agent has hung; it gives one every :data:`.watchdog.INTERVAL`.
PATIENCE = 30.0
_MOST_DOUBLINGS = 4
#: Seconds of life after which an agent that hangs counts as hanging for the first time.
_FORGIVEN_AFTER = 3600.0

#: Exit statuses of :mod:`trove.guestagent.agent` that another start will end with again, and what they mean.
NEED_OPERATOR = {
    65: "the guest agent cannot read its bootstrap document",
    74: "the guest agent cannot use its journal",
    78: "the guest agent has no key to enrol with",
}

_PREFIX = "trove-guestagent: "
_TAIL_BYTES = 4096
_MAX_REASON = 200


def record_exit(record: Record, status: int | None, log: Path, *, lifetime: float) -> None:
    """Write into ``record`` what the end of its latest process means; once for each process.

    :param status: its exit status; ``None`` when nobody knows, because another process was its parent.
    :param log: what the agent printed.
    :param lifetime: seconds since its start.
    """
    if record["pid"] is None or record.get("judged") == [record["pid"], record["started"]]:
        return
    record["judged"] = [record["pid"], record["started"]]
    ends = record["quick_ends"] + 1
    if status in NEED_OPERATOR:
        record.update(quick_ends=max(QUICK_ENDS, ends), failure=_reason(log) or NEED_OPERATOR[status])
    else:
        record.update(quick_ends=ends if lifetime < QUICK else 0, failure=None)


def hung(record: Record, alive_at: float | None, *, awake_since: float) -> float | None:
    """Return for how many seconds a running agent has not shown a sign of life, when that is too long, else ``None``.

    One that hangs again and again is given twice as long each time.

    :param alive_at: its last sign of life on the monotonic clock; ``None`` for an agent that gives none.
    :param awake_since: since when the caller has looked without a pause: what stopped it may have stopped the agent.
    """
    now = clock.monotonic()
    if alive_at is None:
        return None
    if alive_at > now:  # of an earlier boot of the host
        alive_at = 0.0
    silent = now - max(alive_at, record["spawned_at"], awake_since)
    return silent if silent > PATIENCE * 2 ** min(record.get("hangs", 0), _MOST_DOUBLINGS) else None


def count_hang(record: Record) -> None:
    """Note that a hung agent is ended; a long life before that makes good for the hangs before."""
    long_lived = clock.monotonic() - record["spawned_at"] > _FORGIVEN_AFTER
    record["hangs"] = 1 if long_lived else record.get("hangs", 0) + 1


def failed(record: Record) -> bool:
    """Tell whether the server counts as FAILED while no agent runs."""
    return int(record["quick_ends"]) >= QUICK_ENDS


def detail(record: Record, log: Path) -> str:
    """Return why the server is FAILED."""
    return f"{record.get('failure') or 'the guest agent ends as soon as it is started'}, see {log}"


def pause(record: Record) -> float:
    """Return how many seconds after the last start the next one may come."""
    ends = int(record["quick_ends"])
    return STARTS.delay(ends) if ends else 0.0


def _reason(log: Path) -> str | None:
    """Return the last thing that the agent told a supervisor, in one line without secrets; the guest wrote it."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
            lines = stream.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        if line.startswith(_PREFIX):
            text = "".join(char for char in line.removeprefix(_PREFIX) if char.isprintable())
            return redact.mask_text(text)[:_MAX_REASON].rstrip(". ") or None
    return None
