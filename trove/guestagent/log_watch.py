# SPDX-License-Identifier: Apache-2.0
"""What logs there are: the engine's, as its handler says, and the agent's own; told when something has changed.

How far each was published is remembered in the journal, together with the result of the publication; the control
plane's word counts, and comes with the next one.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trove.common import clock, ids
from trove.datastores import spi
from trove.domain import guest_logs
from trove.guestagent import log_files
from trove.guestagent.journal import Journal, JournalRefused
from trove.wire import report

LOG = logging.getLogger(__name__)

#: Seconds between two looks at the logs.
INTERVAL = 60.0
#: Seconds after which changed sizes are told, when nothing else has changed.
SIZES_INTERVAL = 300.0
#: Old files of the agent's own log that are looked for.
_OWN_ROTATED = 3


def setting(log: str) -> str:
    """Return the name of the journal's setting that keeps how far ``log`` was published."""
    return f"log:{log}"


class LogWatch:
    """Finds logs and turns them into reports. Not for several threads at once: callers hold the engine lock.

    :param own: file of the agent's own log, ``None`` when it goes elsewhere.
    """

    def __init__(self, handler: spi.GuestHandler, journal: Journal, own: Path | None) -> None:
        # A handler without the command has no such method either.
        self._engine: Callable[[], Sequence[spi.EngineLog]] = (
            handler.logs if "set_log" in handler.commands() else lambda: ()
        )
        self._journal = journal
        self._own = own
        self._told: list[report.LogFact] | None = None
        self._looked_at = float("-inf")
        self._told_at = float("-inf")

    def logs(self) -> list[spi.EngineLog]:
        """Return all logs; may raise whatever the handler raises."""
        found = list(self._engine())
        if self._own is not None:
            rotated = (self._own.with_name(f"{self._own.name}.{n}") for n in range(_OWN_ROTATED, 0, -1))
            paths = [path for path in (*rotated, self._own) if path.exists()]
            found.append(spi.EngineLog(name=guest_logs.AGENT, type=guest_logs.SYS, paths=paths))
        return found

    def after_command(self) -> Sequence[report.Report]:
        """Return the logs after a command: when anything has changed, sizes included."""
        return self._look(sizes=True)

    def if_due(self) -> Sequence[report.Report]:
        """Return the logs when it is time to look and something has changed."""
        now = clock.monotonic()
        if now - self._looked_at < INTERVAL:
            return ()
        return self._look(sizes=now - self._told_at >= SIZES_INTERVAL)

    def untold(self) -> None:
        """What was returned last could not be kept: the next look returns it again."""
        self._told, self._looked_at, self._told_at = None, float("-inf"), float("-inf")

    def _look(self, *, sizes: bool) -> Sequence[report.Report]:
        self._looked_at = clock.monotonic()
        try:
            facts = [self._fact(log) for log in self.logs()]
        except JournalRefused:
            raise
        except Exception as err:  # boundary: it is tried again in a minute, for ever
            LOG.warning("the logs could not be looked at (%s)", type(err).__name__)
            return ()
        if self._told is not None and _essence(facts, sizes=sizes) == _essence(self._told, sizes=sizes):
            return ()
        self._told, self._told_at = facts, clock.monotonic()
        return (report.Logs(report_id=ids.new_id(), logs=facts),)

    def _fact(self, log: spi.EngineLog) -> report.LogFact:
        position = self._journal.setting(setting(log.name))
        rest = log_files.remainder(log.paths, position)
        return report.LogFact(
            name=log.name,
            type=log.type,
            file=log.paths[-1].name[:255] if log.paths else None,
            enabled=log.enabled,
            restart_required=False,
            size=log_files.total(log.paths),
            position=position,
            pending=rest.size,
            rotated=rest.lost,
        )


def _essence(facts: Sequence[report.LogFact], *, sizes: bool) -> list[tuple[Any, ...]]:
    """Return what of ``facts`` is worth telling: without sizes, whether there is something."""
    return [
        (
            fact.name,
            fact.type,
            fact.enabled,
            fact.position,
            fact.rotated,
            fact.size if sizes else bool(fact.size),
            fact.pending if sizes else bool(fact.pending),
        )
        for fact in facts
    ]
