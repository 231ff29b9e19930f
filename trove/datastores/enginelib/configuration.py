# SPDX-License-Identifier: Apache-2.0
"""The values of a configuration group in one engine: judged, taken over, remembered, and put back when refused.

There are two sets. ``configuration`` is what the group says; ``in_force`` is what the engine runs with, and what is in
its configuration file. They differ by the values that wait for a restart. Those count from a start that somebody *asks*
for, when a failure can be told and the former values are at hand (:meth:`.life.Life.start`); an engine that is brought
back after a crash starts with what it ran with.

:class:`Configurator` decides when; what an engine is asked and told is its own (:class:`Adapter`).
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, Protocol

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib.protection import Protection
from trove.datastores.enginelib.server import EngineServer
from trove.datastores.enginelib.state import State, StateFile, StateT
from trove.wire import command

Values = Mapping[str, command.ConfigValue]

#: No name of a parameter has more: what else is in one could be taken for the next line.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")
_ABSENT = object()


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


def waiting(known: State) -> list[str]:
    """Return the names of the parameters whose values wait for a restart."""
    return _differing(known.configuration, known.in_force)


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

    :param require: refuses values, see :func:`require`.
    :param known: returns the state of a prepared engine.
    :param write: writes the configuration file for a state.
    """

    def __init__(
        self,
        adapter: Adapter,
        server: EngineServer,
        states: StateFile[StateT],
        *,
        require: Callable[[Values], None],
        known: Callable[[], StateT],
        write: Callable[[StateT], None],
    ) -> None:
        self._adapter = adapter
        self._server = server
        self._states = states
        self._require = require
        self._known = known
        self._write = write

    def configure(self, asked: command.Configure) -> Mapping[str, Any]:
        """Take over the values of a configuration group.

        :returns: ``{"restart_required": [names]}``.
        :raises EngineError: ``configuration.refused``: everything is as before; ``engine.not_prepared``.
        """
        before = self._known()
        self._require(asked.values)
        values = dict(asked.values)
        self._adapter.examine(values)
        later: Collection[str] = _differing(values, before.in_force)
        if asked.apply and self._server.pid() is not None:
            # Those that a start has taken over in the meantime are among them, too: they were in force and are no more.
            later = self._adapter.apply(values, later)
        # Read again: the adapter may have noted something of its own.
        known = self._known()
        in_force = {name: value for name, value in values.items() if name not in later}
        in_force |= {name: value for name, value in before.in_force.items() if name in later}
        changed = self._states.put(msgspec.structs.replace(known, configuration=values, in_force=in_force))
        self._write(changed)
        # A stopped engine takes all of them at its next start.
        return {"restart_required": [] if self._server.pid() is None else waiting(changed)}

    def settle(self, values: Values, restart: Callable[[], None]) -> None:
        """Let a new engine run with all values of its configuration group; a repeated one completes the first.

        :param restart: restarts the server, for values that need it.
        :raises EngineError: ``configuration.refused``.
        """
        if not values:
            return
        if self._known().configuration != values:
            self.configure(command.Configure(values=dict(values)))
        if waiting(self._known()):
            restart()


def _differing(one: Values, other: Values) -> list[str]:
    def value(values: Values, name: str) -> tuple[type, object]:
        found = values.get(name, _ABSENT)
        return type(found), found  # 1 is not true here

    return sorted(name for name in {*one, *other} if value(one, name) != value(other, name))
