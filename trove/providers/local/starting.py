# SPDX-License-Identifier: Apache-2.0
"""Start an agent with everything that belongs around it: its volume, in tier 2 its isolation, its account and its log.

Nothing is started on a volume that is not mounted, and nothing outside of the isolation that the server's record
promises.
"""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from trove.providers import base
from trove.providers.local import privileges, processes, spares, warm
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import KINDS, Record, Store, slug
from trove.providers.local.volumes import DATA, Volumes

LOG = logging.getLogger(__name__)

STATE = "state"
PRINTED = "agent.stderr"

#: The launcher's words that differ from agent to agent.
_OWN_WORDS = frozenset(("cgroup", "netns", "keep", "cwd", "as", "own"))

#: Where everybody on a host may leave temporary files.
SHARED_DIRECTORIES = ("/tmp", "/var/tmp")

_LOG_LIMIT = 10 * 1024 * 1024

#: The environment of an agent, apart from HOME, the mark and where packages are found.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    # One heap for all of the agent's threads: they hardly run at the same time, and each heap of its own costs memory.
    "MALLOC_ARENA_MAX": "1",
}


def is_isolated(record: Record) -> bool:
    """Tell whether a server was made in tier 2."""
    return bool(record.get("tier", 1) == 2)


@dataclasses.dataclass(frozen=True)
class Engine:
    """What an agent must be shown for its engine; paths."""

    home: str | None = None
    root: str | None = None
    gateway_socket: str | None = None

    def paths(self) -> list[str]:
        """Return what the account must be able to read."""
        found = [self.root] if self.root else list(privileges.engine_paths(self.home)) if self.home else []
        # The directory: a gateway that is started again makes a new socket in it.
        return [*found, *((os.path.dirname(self.gateway_socket),) if self.gateway_socket else ())]


def _engine(record: Record) -> Engine:
    return Engine(record["engine_home"], record.get("engine_root"), record.get("gateway_socket"))


class Starter:
    """Starts the agents of servers. The caller of every method holds the store's lock.

    :param agent_argv: the program to run as an agent; it gets ``--bootstrap FILE`` appended.
    :ivar isolation: what is put around servers of tier 2; ``None`` where this process cannot.
    :param shelf: where a process may wait to become an agent.
    """

    def __init__(
        self,
        store: Store,
        volumes: Volumes,
        spawner: processes.Spawner,
        agent_argv: Sequence[str],
        isolation: Isolation | None,
        shelf: spares.Shelf,
    ) -> None:
        self._store = store
        self._agent_argv = list(agent_argv)
        self._volumes = volumes
        self._spawner = spawner
        self.isolation = isolation
        self._shelf = shelf
        self._engine = Engine()

    def log_file(self, record: Record) -> Path:
        """Return the file with what the agent prints: why it cannot run. Its log is another file, of its own."""
        return self._store.directory("server", record["tag"]) / PRINTED

    def spawn(self, record: Record, bootstrap: str) -> processes.Identity:
        """Start the agent of a server with its bootstrap document.

        :raises base.RetryableError: when its volume is not mounted or its isolation cannot be made now.
        :raises base.FatalError: when it cannot be started.
        """
        self._volumes.require(record["volume_tag"])
        confined = self._confine(record)
        state, data = self._directories(record)
        launch = self._launch(record, bootstrap)
        own = [*confined, f"keep={os.path.realpath(data)}", f"cwd={state}"]
        if confined:
            own.append(f"own={state}")
        with self._log(record) as log:
            words = self._words(_engine(record), [state, data], own, isolated=bool(confined))
            return self._spawner.spawn(dataclasses.replace(launch, words=words), log)

    def _launch(self, record: Record, bootstrap: str) -> processes.Launch:
        argv = [*self._agent_argv, "--bootstrap", bootstrap]
        state, _ = self._directories(record)
        env = {**ENVIRONMENT, **privileges.python_environment(), "HOME": state, processes.MARK: record["tag"]}
        return processes.Launch(argv, env, state)

    def _directories(self, record: Record) -> tuple[str, str]:
        state = self._store.directory("server", record["tag"]) / STATE
        return str(state), str(self._volumes.data_dir(record["volume_tag"]))

    def _words(
        self, engine: Engine, writable: Sequence[str], own: Sequence[str], *, isolated: bool = False
    ) -> list[str]:
        """Return what the launcher is told about an agent; nothing for one of this process's own user.

        :param own: the words that are this agent's only.
        :param isolated: whether it gets nothing to write to but its own directories.
        """
        account = self._store.account
        if account is None:
            return []
        self._engine = engine
        given = [word for word in self._agent_argv if word.startswith("/") and os.path.exists(word)]
        readable = [*privileges.code_paths(), *given, *engine.paths()]
        privileges.precompile()
        templates = str(self._store.base_dir / "templates")
        words = privileges.launcher_words(account, readable, [*writable, templates], own)
        if isolated:
            needed = [os.path.realpath(path) for path in (*readable, templates)]
            # Where something needed lies below, nothing is put over it: then it is merely read-only.
            free = [path for path in SHARED_DIRECTORIES if not any(need.startswith(f"{path}/") for need in needed)]
            words += [f"own={templates}", *(f"private={path}" for path in free)]
        return words

    # what was made ahead

    def words_ahead(self, place: spares.Place) -> list[str] | None:
        """Return what the launcher is told about a process that waits; ``None`` where none is of any use.

        What it can see is decided before anybody knows which engine it will be for: the one of the last agent is taken.
        """
        account = self._store.account
        if account is None:
            return []
        own: list[str] = []
        if place.tier == 2 and self.isolation is not None and place.volume is not None:
            own = self.isolation.words(place.id, place.groups)
            own.append(f"keep={os.path.realpath(place.volume / DATA)}")
            if place.server is not None:
                own.append(f"own={place.server / STATE}")
        if self._hidden(account):
            if ":" in str(self._store.base_dir):
                return None
            shown = {"server": place.server and place.server / STATE, "volume": place.volume and place.volume / DATA}
            for kind, path in shown.items():
                if path is not None:
                    own.append(f"as={path}:{self._store.base_dir / KINDS[kind] / place.id / path.name}")
        place.engine = self._engine
        return self._words(self._engine, (), own, isolated=place.tier == 2)

    def _hidden(self, account: privileges.Account) -> bool:
        """Tell whether an agent's own directories have to be shown to it, because its account cannot get there."""
        return bool(privileges.view(account, (), [str(self._store.base_dir)]))

    def take(self, record: Record) -> tuple[warm.Waiting, Path] | None:
        """Return the process that waits for just this new server, with the directory that is to become the server's,
        and give the server the control groups that it is in.

        ``None`` when there is none: it may be for another instance, or must be shown something else.
        """
        place = self._shelf.claim(record["tag"], record["tier"])
        if place is None or place.waiting is None or place.server is None:
            return None
        if (place.port, place.volume_tag) != (record["port_tag"], record["volume_tag"]):
            return None
        if not (self._sees_enough(place, record) and place.waiting.usable()):
            return None
        if place.tier == 2 and self.isolation is not None:
            try:
                record["cgroups"] = self.isolation.trees().adopt(place.groups, slug("server", record["tag"]))
            except OSError as err:
                LOG.warning("control groups are made anew: %s", err)
                return None
        taken = place.waiting, place.server
        place.waiting = place.server = None
        return taken

    def _sees_enough(self, place: spares.Place, record: Record) -> bool:
        """Tell whether a process that waits can see exactly what the agent of this server needs."""
        if place.engine == _engine(record):
            return True
        seen = self._words(_engine(record), (), (), isolated=place.tier == 2)
        waiting = place.waiting.words if place.waiting is not None else ()
        return set(seen) == {word for word in waiting if word.partition("=")[0] not in _OWN_WORDS}

    def finish(self, record: Record) -> None:
        """Have what is left of a place go, now that its server is made."""
        self._shelf.finish(record["tag"])

    def wake(self, waiting: warm.Waiting, record: Record, bootstrap: str) -> bool:
        """Have the process become the agent of its server; ``False``: it has ended instead.

        :raises base.RetryableError: when the volume is not mounted or the isolation cannot be completed now.
        """
        self._volumes.require(record["volume_tag"])
        self._confine(record)
        if is_isolated(record) and not (self.isolation and self.isolation.right_network(record, waiting.identity.pid)):
            waiting.close()
            return False
        with self._log(record) as log:
            return waiting.become(self._launch(record, bootstrap), log, self._renames(waiting, record))

    def _renames(self, waiting: warm.Waiting, record: Record) -> list[tuple[str, str]]:
        """Return what a process that waited has to rename in its own mount namespace, where it was shown a place."""
        shown = [value.partition(":")[2] for key, _, value in (w.partition("=") for w in waiting.words) if key == "as"]
        finals = {"server": slug("server", record["tag"]), "volume": slug("volume", record["volume_tag"])}
        by_parent = {str(self._store.base_dir / KINDS[kind]): name for kind, name in finals.items()}
        old = [os.path.dirname(path) for path in shown]
        return [(path, os.path.join(os.path.dirname(path), by_parent[os.path.dirname(path)])) for path in old]

    def look_around(self, record: Record, agent: processes.Identity) -> bool:
        """Mend what is around a running server; ``False`` when only a restart can.

        A memory limit that the processes do not fit into yet is tried again by each call.
        """
        if not is_isolated(record) or self.isolation is None:
            return True
        self.isolation.fit(record)
        return self.isolation.right_network(record, agent.pid)

    def fit(self, record: Record) -> None:
        """Set the limits of the server's present shape, as far as its processes fit into them."""
        if is_isolated(record) and self.isolation is not None:
            self.isolation.fit(record)

    def leave(self, record: Record) -> bool:
        """Remove what is around a server without processes; ``True`` once that is done."""
        return not is_isolated(record) or self.isolation is None or self.isolation.leave(record)

    def _confine(self, record: Record) -> list[str]:
        """Make what belongs around a server; return the launcher's words for it."""
        if not is_isolated(record):
            return []
        if self.isolation is None:
            raise base.RetryableError(f"server {record['tag']} was made in tier 2; only root can start it")
        port = self._store.read("port", record["port_tag"])
        if port is None:
            raise base.NotFoundError(f"server {record['tag']} has lost its port {record['port_tag']}")
        if not record["cgroups"] or not all(map(os.path.isdir, record["cgroups"])):
            # Never while they exist: an engine may live in them, also when this process is in another group now.
            record["cgroups"] = self.isolation.plan(record)
            self._store.write("server", record)
        if not self.isolation.network.is_new(slug("port", port["tag"])):
            self._shelf.clear()  # one of them may have this address
        return self.isolation.enter(record, port)

    @contextlib.contextmanager
    def _log(self, record: Record) -> Iterator[int]:
        path = self.log_file(record)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_name(f"{PRINTED}.1"))
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)
