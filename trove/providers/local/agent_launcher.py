# SPDX-License-Identifier: Apache-2.0
"""Start an agent with everything that belongs around it: its volume, in tier 2 its isolation, its account and its log.

Nothing is started on a volume that is not mounted, and nothing outside of the isolation that the server's record
promises.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from trove.providers import base
from trove.providers.local import launch, privileges, processes
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import Record, Store
from trove.providers.local.volumes import Volumes

STATE = "state"
OUTPUT = "agent.stderr"

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


class AgentLauncher:
    """Starts the agents of servers. The caller of every method holds the store's lock.

    :param agent_argv: the program to run as an agent; it gets ``--bootstrap FILE`` appended.
    :param isolation: what is put around servers of tier 2; ``None`` where this process cannot.
    """

    def __init__(
        self,
        store: Store,
        volumes: Volumes,
        spawner: processes.Spawner,
        agent_argv: Sequence[str],
        isolation: Isolation | None,
    ) -> None:
        self._store = store
        self._agent_argv = list(agent_argv)
        self._volumes = volumes
        self._spawner = spawner
        self._isolation = isolation

    def log_file(self, record: Record) -> Path:
        """Return the file with what the agent prints: why it cannot run. Its log is another file, of its own."""
        return self._store.directory("server", record["tag"]) / OUTPUT

    def spawn(self, record: Record, bootstrap: str) -> processes.Identity:
        """Start the agent of a server with its bootstrap document.

        :raises base.RetryableError: when its volume is not mounted or its isolation cannot be made now.
        :raises base.FatalError: when it cannot be started.
        """
        account = self._volumes.require(record["volume_tag"])
        record["uid"] = os.getuid() if account is None else account.uid
        confined = self._confine(record)
        argv = [*self._agent_argv, "--bootstrap", bootstrap]
        state = str(self._store.directory("server", record["tag"]) / STATE)
        env = {**ENVIRONMENT, **privileges.python_environment(), "HOME": state, processes.MARK: record["tag"]}
        launch = processes.Launch(argv, env, state, self._words(account, record, state, confined))
        with self._log(record) as log:
            return self._spawner.spawn(launch, log)

    def _words(
        self, account: privileges.Account | None, record: Record, state: str, confined: Sequence[str]
    ) -> list[str]:
        """Return what the launcher is told about an agent; nothing for one of this process's own user.

        :param confined: the words for its isolation; with them, it gets nothing to write to but its own directories.
        """
        if account is None:
            return []
        given = [word for word in self._agent_argv if word.startswith("/") and os.path.exists(word)]
        engine: Sequence[str] = ()
        if record.get("engine_root"):
            engine = (record["engine_root"],)
        elif record["engine_home"]:
            engine = privileges.engine_paths(record["engine_home"])
        # The directory: a gateway that is started again makes a new socket in it.
        gateway = [os.path.dirname(record["gateway_socket"])] if record.get("gateway_socket") else []
        data = str(self._volumes.data_dir(record["volume_tag"]))
        shared = [str(self._store.base_dir / "templates")] if account == self._store.accounts.shared else []
        if not shared:
            confined = [*confined, f"passwd={self._write_passwd(account, record)}"]
        privileges.precompile()
        readable = [*privileges.code_paths(), *given, *engine, *gateway]
        words = [*confined, f"keep={os.path.realpath(data)}", f"cwd={state}"]
        if is_isolated(record):
            needed = [os.path.realpath(path) for path in (*readable, state, data, *shared)]
            # Where something needed lies below, nothing is put over it: then it is merely read-only.
            free = [path for path in SHARED_DIRECTORIES if not any(need.startswith(f"{path}/") for need in needed)]
            words += [*(f"own={path}" for path in (state, *shared)), *(f"private={path}" for path in free)]
        return privileges.launcher_words(account, readable, [state, data, *shared], words)

    def _write_passwd(self, account: privileges.Account, record: Record) -> Path:
        """Write the host's user database with the instance's account in it, and return its path."""
        path = self._store.directory("server", record["tag"]) / "passwd"
        line = f"{account.name}:x:{account.uid}:{account.gid}::/nonexistent:/usr/sbin/nologin\n"
        path.write_text(Path(launch.PASSWD).read_text(errors="surrogateescape").rstrip("\n") + "\n" + line,
                        errors="surrogateescape")  # fmt: skip
        path.chmod(0o644)
        return path

    def maintain(self, record: Record, agent: processes.Identity) -> bool:
        """Mend what is around a running server; ``False`` when only a restart can.

        A memory limit that the processes do not fit into yet is tried again by each call.
        """
        if not is_isolated(record) or self._isolation is None:
            return True
        self._isolation.fit(record)
        return self._isolation.right_network(record, agent.pid)

    def fit(self, record: Record) -> None:
        """Set the limits of the server's present shape, as far as its processes fit into them."""
        if is_isolated(record) and self._isolation is not None:
            self._isolation.fit(record)

    def leave(self, record: Record) -> bool:
        """Remove what is around a server without processes; ``True`` once that is done."""
        return not is_isolated(record) or self._isolation is None or self._isolation.leave(record)

    def _confine(self, record: Record) -> list[str]:
        """Make what belongs around a server; return the launcher's words for it."""
        if not is_isolated(record):
            return []
        if self._isolation is None:
            raise base.RetryableError(f"server {record['tag']} was made in tier 2; only root can start it")
        port = self._store.read("port", record["port_tag"])
        if port is None:
            raise base.NotFoundError(f"server {record['tag']} has lost its port {record['port_tag']}")
        if not record["cgroups"] or not all(map(os.path.isdir, record["cgroups"])):
            # Never while they exist: an engine may live in them, also when this process is in another group now.
            record["cgroups"] = self._isolation.plan(record)
            self._store.write("server", record)
        return self._isolation.enter(record, port)

    @contextlib.contextmanager
    def _log(self, record: Record) -> Iterator[int]:
        path = self.log_file(record)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_name(f"{OUTPUT}.1"))
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)
