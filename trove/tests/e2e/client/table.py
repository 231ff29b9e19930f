# SPDX-License-Identifier: Apache-2.0
"""The table of all commands of the client in the documentation: what each asks of the service, what comes of it, and
which test has seen that.

The rows are a file in the documentation. A test that runs a command compares what it observes with the row; with
``TROVE_TEST_WRITE_SAMPLES=1`` a row that differs is written, and the test still fails, so that nobody changes a row
without looking at it::

    TROVE_TEST_WRITE_SAMPLES=1 tools/run-tests.sh trove/tests/e2e/client
    git diff doc/source/reference/client-commands.yaml
"""

import fcntl
import functools
import importlib.metadata
import itertools
import os
import pathlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml

FILE = pathlib.Path(__file__).resolve().parents[4] / "doc" / "source" / "reference" / "client-commands.yaml"
WRITE = "TROVE_TEST_WRITE_SAMPLES"
_GROUP = "openstack.database.v1"
_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Written by the tests in trove/tests/e2e/client; do not edit.
"""


@dataclass(frozen=True)
class Row:
    """One command.

    :ivar calls: method, path below the project and status of each call, in order; see :func:`folded`.
    :ivar result: ``works``, or ``refused: `` and the reason.
    :ivar test: full name of the test.
    """

    command: str
    calls: tuple[str, ...]
    result: str
    test: str


def folded(calls: Sequence[str]) -> tuple[str, ...]:
    """Return calls with those that follow upon an equal one, as pages do, told by a word: their number varies.

    >>> folded(["GET /a: 200", "GET /b: 200", "GET /b: 200", "GET /b: 200"])
    ('GET /a: 200', 'GET /b: 200 (repeated)')
    """
    groups = ((call, len(list(equal))) for call, equal in itertools.groupby(calls))
    return tuple(f"{call} (repeated)" if count > 1 else call for call, count in groups)


def commands() -> set[str]:
    """Return all commands of the installed client."""
    return {entry.name.replace("_", " ") for entry in importlib.metadata.entry_points(group=_GROUP)}


@functools.cache
def printing() -> frozenset[str]:
    """Return the commands that print a table, which is JSON on demand.

    Not ``limit list``: it prints another table before that.
    """
    entries = importlib.metadata.entry_points(group=_GROUP)
    found = {entry.name.replace("_", " ") for entry in entries if hasattr(entry.load(), "formatter_default")}
    return frozenset(found - {"database limit list"})


def load() -> dict[str, Row]:
    """Return the rows by command."""
    if not FILE.exists():
        return {}
    rows: list[dict[str, Any]] = yaml.safe_load(FILE.read_text()) or []
    return {row["command"]: Row(**{**row, "calls": tuple(row["calls"])}) for row in rows}


def write(row: Row) -> None:
    """Replace the row of a command; other tests may write theirs at the same time."""
    with open(FILE, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = {**load(), row.command: row}
        kept = [{**asdict(rows[name]), "calls": list(rows[name].calls)} for name in sorted(rows)]
        FILE.write_text(_HEAD + yaml.safe_dump(kept, sort_keys=False, width=110))


def writing() -> bool:
    """Tell whether rows are to be written."""
    return os.environ.get(WRITE) == "1"
