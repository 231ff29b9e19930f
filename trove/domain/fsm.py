# SPDX-License-Identifier: Apache-2.0
"""A state machine as data: a table of transitions and the one function that reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Transition:
    """One line of a specification: in ``source``, on ``event``, become ``target``."""

    source: str
    event: str
    target: str


class InvalidTransition(Exception):
    """The event is not allowed in the current state."""

    def __init__(self, state: str, event: str) -> None:
        self.state = state
        self.event = event
        super().__init__(f"event '{event}' is not allowed in state '{state}'")


class Machine:
    """An immutable transition table.

    >>> machine = Machine("light", [Transition("off", "press", "on"), Transition("on", "press", "off")])
    >>> machine.next("off", "press")
    'on'
    """

    def __init__(self, name: str, transitions: Iterable[Transition]) -> None:
        self.name = name
        self.transitions: tuple[Transition, ...] = tuple(transitions)
        table: dict[tuple[str, str], str] = {}
        for item in self.transitions:
            key = (item.source, item.event)
            if key in table:
                raise ValueError(f"{name}: two transitions for {key}")
            table[key] = item.target
        self._table: Mapping[tuple[str, str], str] = table

    @property
    def states(self) -> frozenset[str]:
        """Every state that the table names."""
        return frozenset(s for t in self.transitions for s in (t.source, t.target))

    def allows(self, state: str, event: str) -> bool:
        """Tell whether ``event`` may happen in ``state``."""
        return (state, event) in self._table

    def next(self, state: str, event: str) -> str:
        """Return the state after ``event``.

        :raises InvalidTransition: when the table has no such line.
        """
        try:
            return self._table[(state, event)]
        except KeyError:
            raise InvalidTransition(state, event) from None

    def sources(self, event: str) -> frozenset[str]:
        """Return every state in which ``event`` may happen."""
        return frozenset(t.source for t in self.transitions if t.event == event)
