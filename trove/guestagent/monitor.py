# SPDX-License-Identifier: Apache-2.0
"""Watch the engine: probe its status, let its handler bring it back, notice changes of its databases and users.

It never waits for the network: an engine must come back also while the control plane cannot be reached.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from trove.common import clock, ids, printable, redact
from trove.datastores import spi
from trove.guestagent.heartbeat import Heartbeats
from trove.guestagent.journal import JournalError
from trove.guestagent.log_watch import LogWatch
from trove.wire import report

LOG = logging.getLogger(__name__)

#: Seconds between two looks at databases and users. Users change them over SQL too.
INVENTORY_INTERVAL = 60.0
#: Seconds after which an unchanged inventory is told again: heals a control plane that was restored from an older
#: backup.
INVENTORY_REFRESH = 900.0
#: Seconds between two probes of a healthy engine; any other is probed at each step.
HEALTHY_INTERVAL = 3.0
#: What an inventory may hold, see :class:`trove.wire.report.Inventory`, and its size as JSON: an envelope holds 1 MiB.
MAX_ITEMS = 10000
MAX_GRANTS = 1000
MAX_BYTES = 900 * 1024


class InventoryWatch:
    """Turns snapshots into reports and remembers what was told. Not for several threads at once: callers hold the
    engine lock."""

    def __init__(self, handler: spi.GuestHandler) -> None:
        self._handler = handler
        self._digest: bytes | None = None
        self._looked_at = float("-inf")
        self._told_at = float("-inf")

    def after_command(self, done: bool) -> Sequence[report.Report]:
        """Return the inventory after a command: always when it was ``done``, else when something has changed.

        Nothing is returned when the engine cannot be asked.
        """
        return self._look(always=done)

    def if_due(self) -> Sequence[report.Report]:
        """Return the inventory when it is time to look and it has changed, or has not been told for long."""
        now = clock.monotonic()
        if now - self._looked_at < INVENTORY_INTERVAL:
            return ()
        return self._look(always=now - self._told_at >= INVENTORY_REFRESH)

    def untold(self) -> None:
        """What was returned last could not be kept: the next look returns it again."""
        self._digest, self._looked_at, self._told_at = None, float("-inf"), float("-inf")

    def _look(self, *, always: bool) -> Sequence[report.Report]:
        self._looked_at = clock.monotonic()
        try:
            snapshot = self._handler.inventory()
        except Exception as err:  # boundary: it is tried again in a second, for ever
            LOG.warning("the engine could not be asked for its inventory (%s)", type(err).__name__)
            return ()
        if snapshot is None:
            return ()
        inventory = compose_inventory(snapshot)
        digest = hashlib.sha256(
            msgspec.json.encode([inventory.databases, inventory.users, inventory.root_enabled])
        ).digest()
        if not always and digest == self._digest:
            return ()
        self._digest, self._told_at = digest, clock.monotonic()
        return (inventory,)


def compose_inventory(snapshot: spi.InventorySnapshot) -> report.Inventory:
    """Return ``snapshot`` as a report that fits into an envelope; what does not fit is left off, and logged."""
    limit = MAX_ITEMS
    while True:
        inventory = report.Inventory(
            report_id=ids.new_id(),
            databases=list(snapshot.databases[:limit]),
            users=[
                user
                if len(user.databases) <= MAX_GRANTS
                else msgspec.structs.replace(user, databases=user.databases[:MAX_GRANTS])
                for user in snapshot.users[:limit]
            ],
            root_enabled=snapshot.root_enabled,
        )
        if len(msgspec.json.encode(inventory)) <= MAX_BYTES or limit == 1:
            break
        limit //= 2
    if len(snapshot.databases) > limit or len(snapshot.users) > limit:
        LOG.warning("the inventory is too large; only the first %d databases and users are reported", limit)
    return inventory


class Watch(Protocol):
    """Something that is looked at now and then and told when it has changed. Callers hold the engine lock."""

    def if_due(self) -> Sequence[report.Report]:
        """Return what there is to tell when it is time to look."""

    def untold(self) -> None:
        """What was returned last could not be kept: the next look returns it again."""


class Watches:
    """Databases and users, and logs, as one :class:`Watch`."""

    def __init__(self, inventory: InventoryWatch, logs: LogWatch) -> None:
        self._inventory, self._logs = inventory, logs

    def if_due(self) -> Sequence[report.Report]:
        """See :class:`Watch`."""
        return [*self._inventory.if_due(), *self._logs.if_due()]

    def untold(self) -> None:
        """See :class:`Watch`."""
        self._inventory.untold()
        self._logs.untold()

    def after_command(self, done: bool) -> Sequence[report.Report]:
        """See :meth:`InventoryWatch.after_command`; the logs are told when they have changed."""
        return [*self._inventory.after_command(done), *self._logs.after_command()]


class Monitor:
    """One step about every second, from one thread.

    :param submit: journals reports and wakes the sender.
    :param wake: wakes the sender because a heartbeat is due.
    """

    def __init__(
        self,
        handler: spi.GuestHandler,
        heartbeats: Heartbeats,
        inventory: Watch,
        *,
        engine_lock: threading.Lock,
        submit: Callable[[Sequence[report.Report]], None],
        wake: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._heartbeats = heartbeats
        self._inventory = inventory
        self._engine_lock = engine_lock
        self._submit = submit
        self._wake = wake
        self._status = ""
        self._probe_at = float("-inf")
        self._complaint: str | None = None

    def step(self) -> None:
        """Probe, supervise, look at the inventory. Raises nothing of the handler's.

        :raises JournalError: an inventory could not be journalled; the next look tells it again.
        """
        if clock.monotonic() >= self._probe_at:
            self._probe()
        # While a command is at work it owns the engine: bringing back what it has just stopped would be a fight.
        if not self._engine_lock.acquire(blocking=False):
            return
        try:
            self._supervise()
            reports = self._inventory.if_due() if self._status == "healthy" else ()
            if reports:
                try:
                    self._submit(reports)
                except JournalError:
                    self._inventory.untold()
                    raise
        finally:
            self._engine_lock.release()

    def probe_soon(self) -> None:
        """Make the next step probe whatever the last one found: a command has changed something."""
        self._probe_at = float("-inf")

    def _probe(self) -> None:
        try:
            status = self._handler.status()
        except Exception as err:  # boundary: a probe that breaks says that the engine cannot be asked, nothing more
            LOG.warning("the probe of the engine broke (%s)", type(err).__name__)
            status = spi.EngineStatus("blocked", "The agent could not probe the engine.")
        if status.reason is not None:
            status = replace(status, reason=printable.without_paths(status.reason))
        if status.status != self._status:
            LOG.info("the engine is %s: %s", status.status, redact.mask_text(status.reason or "no remark"))
        self._status = status.status
        self._probe_at = clock.monotonic() + (HEALTHY_INTERVAL if status.status == "healthy" else 0.0)
        if self._heartbeats.publish(status):
            self._wake()

    def _supervise(self) -> None:
        try:
            self._handler.supervise()
            self._complaint = None
        except Exception as err:  # boundary: it is tried again in a second, for ever
            reason = _reason(err)
            if reason != self._complaint:  # once, not once a second
                LOG.warning("supervision of the engine failed, and is tried again: %s", reason)
            self._complaint = reason


def _reason(error: Exception) -> str:
    # Only an EngineError's text is made for others' eyes; any other may quote a statement with a password in it.
    return redact.mask_text(str(error)) if isinstance(error, spi.EngineError) else type(error).__name__
