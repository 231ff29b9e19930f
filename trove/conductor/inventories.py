# SPDX-License-Identifier: Apache-2.0
"""How a guest's inventory is written: what differs, in short transactions, as far as its budget goes.

An inventory may name ten thousand databases, and the next one ten thousand others. In one transaction that would keep
everybody else from writing for seconds, and a guest can send the two in turn for ever. So the difference is found
without a lock and written in parts, between which others get their turn. The first part also records the inventory's
place in what the guest says: a later part is written only while no newer inventory has come, whichever conductor that
went to. What is written to its end is acknowledged. What is not, because the budget ran out or the process ended, the
guest sends again, and then less of it differs.
"""

import logging
from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session

from trove.common import clock
from trove.conductor.budgets import Budgets
from trove.conductor.reports import Outcome
from trove.db.api import Database
from trove.guestbus.envelope import Header
from trove.objects import inventory, root_history
from trove.objects.guest_identity import GuestIdentity
from trove.wire import report

LOG = logging.getLogger(__name__)

#: Rows of one transaction.
ROWS = 250
#: Longest pause (seconds) between two transactions, in which others write; it is as long as the transaction before.
_MAX_PAUSE = 0.2

Batch = list[inventory.Part]
Effect = Callable[[Session, GuestIdentity, report.Report], Outcome]


class Overtaken(Exception):
    """A newer inventory of the same guest was taken meanwhile: the rest of this one must not be written."""


class Writing:
    """One inventory on its way into the database.

    :param header: of the message that brought it.
    """

    def __init__(self, db: Database, budgets: Budgets, header: Header, message: report.Inventory) -> None:
        self._db = db
        self._budgets = budgets
        self._guest = header.instance_id
        self._place = (header.boot, header.sequence)
        self._message = message

    def effects(self) -> Iterator[Effect]:
        """Yield what is to be done in one transaction after the other; the first counts the message. The last one asks
        for the acknowledgement when nothing is left."""
        allowed = self._budgets.rows(self._guest)
        batches = self._batches() if allowed >= ROWS else None
        chosen: list[Batch] = []
        for batch in batches or ():
            allowed -= _rows(batch)
            if allowed < 0:
                break
            chosen.append(batch)
        complete = batches is not None and len(chosen) == len(batches)
        if not complete:
            self._budgets.cut_short(self._guest)
        started = clock.monotonic()
        yield self._first(chosen[0] if chosen else [], acknowledge=complete and len(chosen) < 2)
        for number, batch in enumerate(chosen[1:], start=2):
            clock.sleep(min(_MAX_PAUSE, clock.monotonic() - started))
            started = clock.monotonic()
            yield self._later(batch, acknowledge=complete and number == len(chosen))

    def _batches(self) -> list[Batch]:
        """Return the differences, as many together as fit into one transaction."""
        self._budgets.spend_compared(self._guest, len(self._message.databases) + len(self._message.users))
        with self._db.reader() as session:
            parts = inventory.compare(session, self._guest, self._message.databases, self._message.users, ROWS)
        batches: list[Batch] = []
        for part in parts:
            if not batches or _rows(batches[-1]) + part.rows > ROWS:
                batches.append([])
            batches[-1].append(part)
        return batches

    def _first(self, batch: Batch, *, acknowledge: bool) -> Effect:
        def effect(session: Session, identity: GuestIdentity, _message: report.Report) -> Outcome:
            if (identity.inventory_boot, identity.inventory_sequence) > self._place:
                raise Overtaken
            identity.inventory_boot, identity.inventory_sequence = self._place
            root_history.set_enabled(session, self._guest, self._message.root_enabled, None)
            self._write(session, batch)
            return Outcome(acknowledge=acknowledge)

        return effect

    def _later(self, batch: Batch, *, acknowledge: bool) -> Effect:
        def effect(session: Session, identity: GuestIdentity, _message: report.Report) -> Outcome:
            if (identity.inventory_boot, identity.inventory_sequence) != self._place:
                raise Overtaken
            self._write(session, batch)
            return Outcome(acknowledge=acknowledge)

        return effect

    def _write(self, session: Session, batch: Batch) -> None:
        for part in batch:
            inventory.apply(session, self._guest, part)
        self._budgets.spend_rows(self._guest, _rows(batch))


def _rows(batch: Batch) -> int:
    return sum(part.rows for part in batch)
