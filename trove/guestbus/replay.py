# SPDX-License-Identifier: Apache-2.0
"""Each message counts once: a sliding window over (boot, sequence).

A guest numbers its messages from 1 within one *boot* (one start of the agent; the count of boots is kept on its disk).
The control plane remembers the highest boot and sequence it has accepted and a bitmap of the :data:`WINDOW` sequences
up to it. A message is accepted when its boot is the current one and its sequence is above the window's top, or inside
the window and not seen yet: messages may overtake one another, but none is taken twice. A lower boot is never accepted.
A higher one starts a new window, and only for a message that opens a conversation (``enrol``, ``hello``): so the
versions and commands that an agent states always come before anything else it says in that boot.

Pure: the caller loads and stores the position, in the transaction that holds the message's effects.
"""

import enum
from dataclasses import dataclass

#: How many sequences back a late message is still taken.
WINDOW = 256
_MASK = (1 << WINDOW) - 1


class Verdict(enum.Enum):
    """Why a message may or may not count."""

    FRESH = "fresh"
    SEEN = "seen before"
    TOO_OLD = "older than the window"
    OLD_BOOT = "from an earlier boot"
    NOT_OPENED = "from a boot that has not said hello"


@dataclass(frozen=True, slots=True)
class Position:
    """What is remembered of one sender. Bit ``n`` of ``bitmap``: sequence ``sequence - n`` was accepted."""

    boot: int = 0
    sequence: int = 0
    bitmap: int = 0

    @classmethod
    def load(cls, boot: int, sequence: int, window: str) -> "Position":
        """Build from columns.

        :param window: hexadecimal bitmap; empty means that nothing was accepted.
        """
        return cls(boot, sequence, int(window or "0", 16) & _MASK)

    @property
    def window(self) -> str:
        """The bitmap as at most 64 hexadecimal digits."""
        return f"{self.bitmap:x}"

    def joined(self, other: "Position") -> "Position":
        """Return a position at which everything counts as seen that does at either of the two."""
        if self.boot != other.boot:
            return max(self, other, key=lambda position: position.boot)
        low, high = sorted((self, other), key=lambda position: position.sequence)
        behind = high.sequence - low.sequence
        seen = (low.bitmap << behind) & _MASK if behind < WINDOW else 0
        return Position(high.boot, high.sequence, high.bitmap | seen)

    def judge(self, boot: int, sequence: int, *, opens: bool = False) -> Verdict:
        """Say whether a message may count, without recording it.

        :param opens: the message may begin a new boot.
        """
        if boot < max(self.boot, 1):
            return Verdict.OLD_BOOT
        if boot > self.boot:
            return Verdict.FRESH if opens and sequence > 0 else Verdict.NOT_OPENED
        if sequence > self.sequence:
            return Verdict.FRESH
        age = self.sequence - sequence
        if sequence < 1 or age >= WINDOW:
            return Verdict.TOO_OLD
        return Verdict.SEEN if self.bitmap >> age & 1 else Verdict.FRESH

    def accept(self, boot: int, sequence: int, *, opens: bool = False) -> "Position | None":
        """Return the position after this message, or ``None`` when it must be refused."""
        if self.judge(boot, sequence, opens=opens) is not Verdict.FRESH:
            return None
        if boot > self.boot:
            return Position(boot, sequence, 1)
        ahead = sequence - self.sequence
        if ahead > 0:
            # A jump beyond the window empties it; shifting by the jump itself could need memory without bound.
            shifted = (self.bitmap << ahead) & _MASK if ahead < WINDOW else 0
            return Position(boot, sequence, shifted | 1)
        return Position(boot, self.sequence, self.bitmap | 1 << -ahead)
