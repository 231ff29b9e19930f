# SPDX-License-Identifier: Apache-2.0
"""The values of a configuration group in one engine: judged, taken over, remembered, and put back when refused.

There are two sets. ``configuration`` is what the group says; ``in_force`` is what the engine runs with, and what is in
its configuration file. They differ by the values that wait for a restart. Those count from a start that somebody *asks*
for, when a failure can be told and the former values are at hand (:meth:`.lifecycle.Lifecycle.start`); an engine that
is brought back after a crash starts with what it ran with.

:class:`Configurator` decides when; what an engine is asked and told is its own (:class:`Adapter`).
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, Protocol

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib.lifecycle import Lifecycle
from trove.datastores.enginelib.protection import Protection
from trove.datastores.enginelib.state import StateT, Values, differing
from trove.wire import command

#: No name of a parameter has more: what else is in one could be taken for the next line.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")


class Adapter(Protocol):
    """What an engine brings. Both methods leave everything as it was when they raise."""

    def examine(self, values: Values) -> None:
        """Find out, without touching the server, whether it would start with ``values``.

        :raises EngineError: ``configuration.refused``, see :func:`refused`.
        """

    def apply(self, values: Values, names: Collection[str]) -> Collection[str]:
        """Let the running server take over the parameters ``names``: the value in ``values``, or what it has without
        a configuration group. The caller writes the configuration file afterwards.

        :returns: those of ``names`` that it can only take at a start.
        :raises EngineError: ``configuration.refused``, see :func:`refused`.
        """


def refused(name: str, why: str) -> spi.EngineError:
    """Return the error that names the parameter; ``why`` is what the engine says of it, without secrets."""
    text = why.strip().rstrip(".")
    return spi.EngineError("configuration.refused", f"The database server refuses the parameter '{name}': {text}.")


def require(values: Values, protection: Protection, spell: Callable[[command.ConfigValue], str]) -> None:
    """Refuse what no engine is asked about: names that are none, protected ones, values that a file cannot hold.

    :param spell: writes a value; raises ``ValueError`` for one that the engine's configuration file cannot hold.
    :raises EngineError: ``configuration.refused``.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise refused(name[:64].encode("ascii", "replace").decode(), "there is no parameter of such a name")
        if protection.covers(name):
            raise refused(name, "it is managed by the service")
        try:
            spell(value)
        except ValueError as err:
            raise refused(name, str(err)) from err


class Configurator(Generic[StateT]):
    """Carries out :class:`trove.wire.command.Configure`.

    :param spell: see :func:`require`.
    """

    def __init__(
        self,
        lifecycle: Lifecycle[StateT],
        adapter: Adapter,
        *,
        protection: Protection,
        spell: Callable[[command.ConfigValue], str],
    ) -> None:
        self._lifecycle = lifecycle
        self._adapter = adapter
        self._protection = protection
        self._spell = spell

    def configure(self, asked: command.Configure) -> Mapping[str, Any]:
        """Take over the values of a configuration group.

        :returns: ``{"restart_required": [names]}``.
        :raises EngineError: ``configuration.refused``: everything is as before; ``engine.not_prepared``.
        """
        before = self._lifecycle.known()
        # As is wanted, not as is: values for a server that crashed would wait for a start that nobody is told of.
        running = before.desired == "running"
        require(asked.values, self._protection, self._spell)
        values = dict(asked.values)
        self._adapter.examine(values)
        later: Collection[str] = differing(values, before.in_force)
        if asked.apply and running:
            later = self._apply(values, later)
        in_force = {name: value for name, value in values.items() if name not in later}
        in_force |= {name: value for name, value in before.in_force.items() if name in later}
        # Known again: the adapter may have noted something of its own.
        wanted = msgspec.structs.replace(self._lifecycle.known(), configuration=values, in_force=in_force)
        try:
            known = self._lifecycle.note(wanted)
        except BaseException:
            # What cannot be remembered, on a full disk for example, does not count.
            if asked.apply and self._lifecycle.running():
                self._adapter.apply(before.in_force, differing(in_force, before.in_force))
            raise
        # A stopped engine takes all of them at its next start.
        return {"restart_required": known.waiting() if running else []}

    def _apply(self, values: Values, names: Collection[str]) -> Collection[str]:
        self._lifecycle.require_running()
        pid = self._lifecycle.pid()
        try:
            return self._adapter.apply(values, names)
        except spi.EngineError as err:
            if self._lifecycle.pid() == pid:
                raise
            # One that is gone refuses everything.
            raise spi.EngineAway("it ended while it took values over") from err

    def settle(self, values: Values, restart: Callable[[], None]) -> None:
        """Let a new engine run with all values of its configuration group; a repeated one completes the first.

        :param restart: restarts the server, for values that need it.
        :raises EngineError: ``configuration.refused``.
        """
        if not values:
            return
        if self._lifecycle.known().configuration != values:
            self.configure(command.Configure(values=dict(values)))
        if self._lifecycle.known().waiting():
            restart()
