# SPDX-License-Identifier: Apache-2.0
"""The interface of a datastore: what a third party implements to bring an engine.

The control plane loads a :class:`Plugin` from the entry-point group ``trove.datastores``; the guest loads a
:class:`GuestHandler` factory from ``trove.datastores.guest``. The two halves never import each other. A capability is
data, and each implies methods of the guest half (:data:`METHODS`); the API refuses what a plugin does not declare, so
nobody writes ``if manager == 'mysql'``.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from trove.datastores import rootfs
from trove.wire import command, report

if TYPE_CHECKING:  # it reads YAML, which no guest has
    from trove.datastores.parameters import Parameter


class Capability(enum.Enum):
    """What an engine can do for its users. The values are public and stable."""

    DATABASES = "databases"
    USERS = "users"
    ACCESS = "access"
    USER_HOSTS = "user-hosts"
    ROOT = "root"
    VOLUME = "volume"
    CONFIGURATION = "configuration-groups"
    LOGS = "guest-logs"


#: The commands a guest half must handle for each capability.
METHODS: Mapping[Capability, frozenset[str]] = {
    Capability.DATABASES: frozenset({"create_databases", "drop_database"}),
    Capability.USERS: frozenset({"create_users", "alter_user", "drop_user"}),
    Capability.ACCESS: frozenset({"grant_access", "revoke_access"}),
    Capability.USER_HOSTS: frozenset(),
    Capability.ROOT: frozenset({"enable_root", "disable_root"}),
    Capability.VOLUME: frozenset({"grow_volume"}),
    Capability.CONFIGURATION: frozenset({"configure"}),
    Capability.LOGS: frozenset({"set_log"}),
}

#: The commands every guest half must handle.
CORE_METHODS = frozenset({"prepare", "start", "stop", "restart", "reconfigure"})

#: The commands that the agent carries out itself, whatever the engine.
AGENT_METHODS = frozenset({"publish_log", "apply_modules", "remove_module", "rotate_keys"})


@dataclass(frozen=True)
class NameRules:
    """What a database or user may be called, with the source of the rule in the plugin's docstring.

    :ivar max_bytes: length limit in bytes of UTF-8.
    :ivar reserved: names that belong to the engine or to Trove (compared as the engine compares them).
    """

    max_bytes: int
    reserved: frozenset[str]


@dataclass(frozen=True)
class EngineInstallation:
    """An engine found on this host or in an image.

    :ivar home: directory with its programs, as the engine will see it: inside its root file system.
    :ivar source: where it comes from, for people: ``distribution``, ``wheel <module>``, ``PATH``, ``image``.
    """

    version: str
    home: Path
    source: str


@dataclass(frozen=True)
class RealRun:
    """The last time the contract suite ran against a real engine; the plugin's README states the same.

    :ivar version: what it ran on: ``17.11``, or ``17`` for any of that series.
    :ivar level: ``full``, or ``core`` for the core life of an instance only.
    :ivar date: ``YYYY-MM-DD``.
    :ivar source: where the engine came from: ``Debian 12``, ``image trixie``.
    """

    version: str
    level: str
    date: str
    source: str = ""


class Plugin(Protocol):
    """The control-plane half. Pure, except for :meth:`detect`.

    A plugin may also have ``tested``, a sequence of :class:`RealRun`, see :func:`last_run`.
    """

    name: str
    #: Engine versions (major or major.minor) this plugin knows.
    versions: Sequence[str]
    capabilities: frozenset[Capability]
    #: The engine's standard TCP port.
    port: int
    #: The account that ``root enable`` gives out.
    root_name: str

    def validate_databases(self, databases: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return every reason why these cannot be created; an empty list when they can. Items are as in the API
        body."""

    def validate_users(self, users: Sequence[Mapping[str, Any]]) -> list[str]:
        """Like :meth:`validate_databases`, for users (``name``, ``password``, ``host``); a member that is absent is
        not judged, and reasons never echo a password."""

    def validate_size(self, ram_mib: int, volume_gib: int) -> list[str]:
        """Return every reason why the engine cannot run in this shape."""

    def detect(self, root: Path = Path("/")) -> list[EngineInstallation]:
        """Find installations of this engine by looking at files, newest first; nothing is run.

        :param root: a root file system. ``/`` is this host, where Python wheels, distribution paths and ``PATH`` are
            looked at. Below any other (an image) only distribution paths are, symbolic links are followed as they are
            meant inside (:mod:`trove.datastores.rootfs`), ``home`` is the path inside, and ``source`` is ``image``.
        """

    def parameters(self, version: str) -> "Mapping[str, Parameter]":
        """Return the parameters of an engine version that its configuration can have, by the engine's own names. Asked
        only of a plugin with :attr:`Capability.CONFIGURATION`.

        Those that the service or its safety depends on are ``protected``: no configuration group may set them.
        """

    def default_configuration(self, version: str, shape: command.ShapeSpec) -> Mapping[str, command.ConfigValue]:
        """Return what an engine without a configuration group runs with in this shape: the parameters that Trove sets
        and a group may set, as values that a group may have. Asked as :meth:`parameters` is.
        """


def last_run(plugin: Plugin, version: str) -> RealRun | None:
    """Return what a plugin says of the tests of an engine ``version``: of exactly this one, else of its series."""
    wanted = version.split(".")
    runs: Sequence[RealRun] = getattr(plugin, "tested", ())
    fitting = [run for run in runs if wanted[: len(run.version.split("."))] == run.version.split(".")]
    return max(fitting, key=lambda run: (len(run.version.split(".")), run.date), default=None)


class EngineError(Exception):
    """A handler could not do what was asked.

    :ivar symbol: stable, lower case with dots (``database.exists``); it becomes the fault's symbol.
    :ivar message: one sentence for the user with the remedy, at most 255 characters, without secrets.
    :ivar detail: what an operator should know beside it, without secrets.
    """

    def __init__(self, symbol: str, message: str, *, detail: str | None = None) -> None:
        self.symbol = symbol
        self.message = message[:255]
        self.detail = detail
        super().__init__(f"{symbol}: {message}" if detail is None else f"{symbol}: {message} ({detail})")


class EngineAway(EngineError):
    """The engine is not there, starts, ends, or went away while it was asked: it has refused nothing, and what was
    asked may have been done or not.

    A command that raises this is repeated when the engine is back; see :mod:`trove.guestagent.persistence`.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("engine.unavailable", "The database server did not answer in time; try again.", detail=detail)


class EngineProcess(Protocol):
    """How the engine's server process is run: a child process, a systemd unit, a container."""

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> int:
        """Start the process detached from the agent's life; return its pid."""

    def is_alive(self, pid: int, marker: str) -> bool:
        """Tell whether ``pid`` runs and its command line contains ``marker`` (a pid may have been reused)."""

    def signal(self, pid: int, number: int) -> None:
        """Send a signal; a process that is gone is no error."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,
        timeout: float = 60,
    ) -> bytes:
        """Run a program to its end and return its output.

        :raises EngineError: symbol ``engine.program``, when it fails or takes longer than ``timeout`` seconds.
        """


@dataclass(frozen=True)
class GuestEnvironment:
    """What a handler is given.

    :ivar engine_home: directory with the engine's programs, as the engine sees it; absent: as the handler finds them.
    :ivar engine_root: root file system that :attr:`process` runs programs in, where the engine comes from an image.
        The directories below have the same names inside and outside; for anything else that the agent itself reads of
        the engine, ask :meth:`on_host`.
    """

    engine_home: Path | None
    engine_version: str
    data_dir: Path
    state_dir: Path
    template_dir: Path | None
    process: EngineProcess
    options: Mapping[str, Any] = field(default_factory=dict)
    engine_root: Path | None = None

    def on_host(self, path: Path) -> Path:
        """Return where the agent finds a file of the engine's installation that the engine calls ``path``."""
        return rootfs.on_host(path, self.engine_root)


@dataclass(frozen=True)
class EngineStatus:
    """``status`` is one of :data:`trove.wire.report.SERVICE_STATUSES`; ``reason`` is one sentence when it is not
    healthy."""

    status: str
    reason: str | None = None
    wal_bytes: int | None = None


@dataclass(frozen=True)
class InventorySnapshot:
    """The engine's databases and users without its own and Trove's."""

    databases: Sequence[report.InventoryDatabase] = ()
    users: Sequence[report.InventoryUser] = ()
    root_enabled: bool = False


@dataclass(frozen=True)
class EngineLog:
    """One log of the engine, made of files.

    :ivar name: for users: ``general``, ``slow_query``, ``error``, ``guest``.
    :ivar type: ``USER`` for what the owner switches and reads, ``SYS`` for what is the operator's.
    :ivar paths: the files that exist, newest last; they may be rotated and truncated.
    :ivar enabled: whether the engine writes it, ``None`` for one that is always written.
    :ivar restart: whether the engine needs a restart before a switch counts.
    """

    name: str
    type: Literal["USER", "SYS"]
    paths: Sequence[Path]
    enabled: bool | None = None
    restart: bool = False


class GuestHandler(Protocol):
    """The guest half of an engine. Only one command runs at a time; ``status`` may be called meanwhile from another
    thread, and so may ``limit_logs``.

    Every method may raise :class:`EngineError`. Commands are safe to repeat: creating what exists *as asked* is
    success when the handler cannot tell it from its own earlier attempt; see each method of the plugin's README.
    A command that finds the engine away, or loses it at any point, raises :class:`EngineAway` and is repeated.
    """

    version: str

    def commands(self) -> Mapping[str, Callable[[Any], Mapping[str, Any] | None]]:
        """Return ``{command name: method}``; the method gets the typed :class:`trove.wire.command.Command`."""

    def status(self) -> EngineStatus:
        """Probe the engine: is the process there, does it answer a query? Bounded to 5 seconds."""

    def inventory(self) -> InventorySnapshot | None:
        """List databases, users and root, or ``None`` while the engine cannot be asked."""

    def supervise(self) -> None:
        """Called about once a second between commands, and while a command waits for the engine: adopt or restart a
        process that should run and does not."""

    def limit_logs(self) -> None:
        """Keep the engine's logs within bounds, whatever its tenants have it write. Called about once a second from a
        thread of its own, also while a command is at work or the engine hangs; it looks at files only."""

    def log_files(self) -> Sequence[Path]:
        """The engine's log files, newest last, for the tail in a failure report."""

    def logs(self) -> Sequence[EngineLog]:
        """List the engine's logs, also before any is written. Asked only of a handler with the command ``set_log``
        (:attr:`Capability.LOGS`)."""


GuestHandlerFactory = Callable[[GuestEnvironment], GuestHandler]

__all__ = [
    "AGENT_METHODS",
    "CORE_METHODS",
    "METHODS",
    "Capability",
    "EngineAway",
    "EngineError",
    "EngineInstallation",
    "EngineLog",
    "EngineProcess",
    "EngineStatus",
    "GuestEnvironment",
    "GuestHandler",
    "GuestHandlerFactory",
    "InventorySnapshot",
    "NameRules",
    "Plugin",
    "RealRun",
    "command",
    "last_run",
]
