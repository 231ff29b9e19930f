# SPDX-License-Identifier: Apache-2.0
"""The logs that an owner can switch on and off. Which are on is part of the engine's state."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Generic

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib.lifecycle import Lifecycle
from trove.datastores.enginelib.state import StateT
from trove.wire import command


def _nothing(_name: str, _enabled: bool) -> None:
    pass


class Switches(Generic[StateT]):
    """Carries out :class:`trove.wire.command.SetLog`.

    :param names: the logs that can be switched.
    :param tell: lets a server that runs take a switch; not called while none does.
    """

    def __init__(
        self, lifecycle: Lifecycle[StateT], names: Sequence[str] = (), tell: Callable[[str, bool], None] = _nothing
    ) -> None:
        self._lifecycle = lifecycle
        self._names = names
        self._tell = tell

    def set(self, asked: command.SetLog) -> None:
        """Switch one log on or off, for now and for every start.

        :raises EngineError: ``log.not_switchable``; whatever the engine says, and then all is as before.
        """
        if asked.log not in self._names:
            which = ", ".join(self._names) or "none"
            raise spi.EngineError(
                "log.not_switchable", f"The log '{asked.log[:64]}' cannot be switched on or off; these can: {which}."
            )
        known = self._lifecycle.known()
        others = known.logs - {asked.log}
        changed = msgspec.structs.replace(known, logs=others | {asked.log} if asked.enabled else others)
        self._lifecycle.write(changed)
        try:
            if self._lifecycle.running():
                self._tell(asked.log, asked.enabled)
        except BaseException:
            self._lifecycle.write(known)
            # It may have taken the switch before it failed.
            with contextlib.suppress(Exception):  # boundary: the first failure is the one to tell
                self._tell(asked.log, asked.log in known.logs)
            raise
        self._lifecycle.note(changed)

    def on(self) -> Collection[str]:
        """Return the logs that the owner has switched on, also of an engine that is being made."""
        known = self._lifecycle.state()
        return () if known is None else known.logs
