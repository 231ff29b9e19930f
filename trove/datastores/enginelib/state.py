# SPDX-License-Identifier: Apache-2.0
"""What a handler must still know after the agent was killed.

One file of mode 0600, replaced as a whole. It holds the password of Trove's own administrator, because after a restart
the agent has nobody to ask; everything else there could be told to anybody. An engine that must know more derives from
:class:`State`.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib import files
from trove.wire import command

Desired = Literal["running", "stopped"]
Values = Mapping[str, command.ConfigValue]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """``desired`` is what the owner last asked for; the process follows it, also across restarts of the agent and
    machine.
    """

    address: str
    port: int
    vcpus: int
    ram_mib: int
    volume_gib: int
    admin_password: str
    socket_dir: str
    desired: Desired = "running"
    #: False while the data directory is being made; such a directory may be thrown away and made again.
    prepared: bool = False
    #: All values of the configuration group.
    configuration: dict[str, command.ConfigValue] = {}
    #: Those of them that the engine runs with, and starts with when nobody asks; the others wait for a restart.
    in_force: dict[str, command.ConfigValue] = {}
    #: What parameters were before a configuration group set them, where the engine would not tell any more.
    originals: dict[str, str] = {}
    #: The logs that the owner has switched on.
    logs: frozenset[str] = frozenset()

    def waiting(self) -> list[str]:
        """Return the names of the parameters whose values wait for a restart."""
        return differing(self.configuration, self.in_force)

    def __repr__(self) -> str:  # holds a password
        return f"<State {self.address}:{self.port} desired={self.desired} prepared={self.prepared}>"


StateT = TypeVar("StateT", bound=State)
_ABSENT = object()


def of(kind: type[StateT], asked: command.Prepare, socket_dir: str) -> StateT:
    """Return the state of an engine that is being made."""
    return kind(
        address=asked.address,
        port=asked.port,
        vcpus=asked.shape.vcpus,
        ram_mib=asked.shape.ram_mib,
        volume_gib=asked.shape.volume_gib,
        admin_password=asked.admin_password,
        socket_dir=socket_dir,
    )


def not_prepared() -> spi.EngineError:
    """Return the error of an engine that has not been made."""
    return spi.EngineError("engine.not_prepared", "The database server has not been set up yet.")


def differing(one: Values, other: Values) -> list[str]:
    """Return the names whose values are not the same in both."""

    def value(values: Values, name: str) -> tuple[type, object]:
        found = values.get(name, _ABSENT)
        return type(found), found  # 1 is not true here

    return sorted(name for name in {*one, *other} if value(one, name) != value(other, name))


class StateFile(Generic[StateT]):
    """Reads and writes the state; the last value is kept, so that reading costs nothing.

    :param kind: the class of the state: :class:`State`, or an engine's own that derives from it.
    """

    def __init__(self, path: Path, kind: type[StateT]) -> None:
        self._path = path
        self._state: StateT | None = None
        with contextlib.suppress(FileNotFoundError):
            self._state = msgspec.json.decode(path.read_bytes(), type=kind)

    def get(self) -> StateT | None:
        """Return the state, ``None`` before the first :meth:`put`."""
        return self._state

    def begun(self) -> StateT:
        """Return the state of an engine that is prepared or being made.

        :raises EngineError: ``engine.not_prepared``.
        """
        if self._state is None:
            raise not_prepared()
        return self._state

    def put(self, state: StateT) -> StateT:
        """Make ``state`` durable and return it."""
        if state != self._state:
            files.write_private(self._path, msgspec.json.encode(state).decode())
            self._state = state
        return state
