# SPDX-License-Identifier: Apache-2.0
"""Keys and positions of guests, remembered for a while: what tells at once whether a message is a guest's.

Nothing is written by what is remembered here. Whatever a message does is decided once more in its transaction, by the
rows (:mod:`trove.conductor.heartbeats`, :meth:`trove.conductor.intake.Intake.effective`). So a guest whose identity was
replaced or removed a moment ago may get a kinder answer than it deserves, and nothing else. A message that does not
pass by what is remembered is judged once more by the database; how often that happens is bounded for each guest,
because anybody can send what does not open.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection

from trove.common import clock
from trove.db.api import Database
from trove.domain.token_bucket import TokenBucket
from trove.guestbus import keys
from trove.guestbus.replay import Position
from trove.objects import guest_identity
from trove.objects.guest_identity import KeyRow

#: Seconds that an identity is remembered.
LIFETIME = 60.0
#: Seconds that is remembered that there is no such guest.
ABSENT_LIFETIME = 2.0
#: Looks at the database for one guest whose messages do not pass: a second, and at once.
_LOOKS, _LOOKS_AT_ONCE = 1.0, 3.0
#: Identities that are remembered; beyond them the one that was not used for longest is forgotten.
_MAX_GUESTS = 20000


class Known:
    """What is remembered of one guest; ``row`` is ``None`` when there is none."""

    __slots__ = ("_derived", "_looks", "position", "row", "until")

    def __init__(self, row: KeyRow | None, now: float) -> None:
        self._derived: tuple[bytes, bytes] | None = None
        self.row = row
        self.until = now + (LIFETIME if row is not None else ABSENT_LIFETIME)
        self.position = Position() if row is None else Position.load(row.boot, row.sequence, row.window)
        self._looks: TokenBucket | None = None  # most never need one

    def derived(self, master: bytes, generation: int) -> bytes:
        """Return the key that seals what this guest says; HKDF takes as long as all the rest of opening a heartbeat."""
        if self._derived is None or self._derived[0] != master:
            assert self.row is not None
            self._derived = master, keys.derive(master, self.row.instance_id, keys.TO_CONTROL, generation)
        return self._derived[1]

    def may_look(self) -> bool:
        """Tell whether the database may be asked because a message did not pass; call it once for each."""
        now = clock.monotonic()
        if self._looks is None:
            self._looks = TokenBucket.full(_LOOKS, _LOOKS_AT_ONCE, now)
        return not self._looks.take(1, now)

    def follows(self, former: "Known") -> None:
        """Keep of what was remembered what still holds: positions that are not written yet, and how often was
        looked."""
        self._looks = former._looks
        if self.row is None or former.row is None or self.row.enrolled_at != former.row.enrolled_at:
            return
        self.position = self.position.joined(former.position)
        if self.row.keys == former.row.keys:
            self._derived = former._derived


class Identities:
    """The memory. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._guests: OrderedDict[str, Known] = OrderedDict()

    def recall(self, instance_id: str) -> Known | None:
        """Return what is remembered of a guest and still counts."""
        with self._lock:
            known = self._guests.get(instance_id)
            if known is None or known.until <= clock.monotonic():
                return None
            if known.row is not None:
                self._guests.move_to_end(instance_id)
            return known

    def load(self, instance_ids: Collection[str]) -> dict[str, Known]:
        """Read guests from the database, remember and return them; one query."""
        with self._db.reader() as session:
            rows = guest_identity.key_rows(session, instance_ids)
        now = clock.monotonic()
        found = {item: Known(rows.get(item), now) for item in instance_ids}
        with self._lock:
            for instance_id, known in found.items():
                former = self._guests.pop(instance_id, None)
                if former is not None:
                    known.follows(former)
                self._guests[instance_id] = known
                if known.row is None:
                    # The first to be forgotten: anybody can make up names, and must not displace guests by it.
                    self._guests.move_to_end(instance_id, last=False)
            while len(self._guests) > _MAX_GUESTS:
                self._guests.popitem(last=False)
        return found

    def expire(self, instance_id: str) -> None:
        """The identity has changed: it is read again when it is needed next."""
        with self._lock:
            known = self._guests.get(instance_id)
            if known is not None:
                known.until = 0.0

    def accept(self, known: Known, boot: int, sequence: int) -> Position | None:
        """Advance what is remembered of the position; return it as it was before, or ``None`` for a message that must
        be refused."""
        with self._lock:
            before = known.position
            after = before.accept(boot, sequence)
            if after is None:
                return None
            known.position = after
            return before
