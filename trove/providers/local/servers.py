# SPDX-License-Identifier: Apache-2.0
"""Servers: a guest agent in a session of its own, with the engine it starts.

The record says what should be (``desired``) and which process was started last; the process table says what is. Both
are compared on every call, so that any process of the control plane can go on where another one died::

    running     an agent should run: adopt the one that does, else start one
    restarting  everything that carries the mark is to end, then an agent is started
    removed     everything that carries the mark is to end, then the directory is deleted

Agents and engines get SIGTERM first and SIGKILL after :data:`GRACE` seconds. Nothing here waits for them to end: the
caller asks again, or :meth:`Servers.supervise` goes on.
"""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from trove.common import clock, watchdog
from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import accounts, agent_health, processes, server_record
from trove.providers.local.agent_launcher import STATE, AgentLauncher, is_isolated
from trove.providers.local.faults import Faults
from trove.providers.local.images.store import Images
from trove.providers.local.isolation import Isolation
from trove.providers.local.records import Record, Store, slug
from trove.providers.local.volumes import Volumes

LOG = logging.getLogger(__name__)

#: Seconds between SIGTERM and SIGKILL.
GRACE = 5.0
#: Seconds between two rounds of supervision after which it counts as having been stopped itself.
PAUSED = 15.0

BOOTSTRAP = "bootstrap.json"
#: The agent's program.
AGENT = "trove.cmd.guest"


def agent_command() -> list[str]:
    """Return the command line of a guest agent without its ``--bootstrap FILE``."""
    return [sys.executable, "-P", "-m", AGENT]


class Servers:
    """Agents and their records.

    :param images: where the root images of servers are found.
    :param isolation: what is put around servers with an address of their own (tier 2).
    :param agent_argv: the program to run as an agent; it gets ``--bootstrap FILE`` appended.
    :param forker: makes agents without starting the program afresh.
    """

    def __init__(
        self,
        store: Store,
        volumes: Volumes,
        images: Images,
        agent_argv: Sequence[str],
        isolation: Isolation | None = None,
        forker: processes.Forker | None = None,
    ) -> None:
        self._store = store
        self._images = images
        self._volumes = volumes
        self._spawner = processes.Spawner(forker)
        self._launcher = AgentLauncher(store, volumes, self._spawner, agent_argv, isolation)
        self._faults = Faults()
        self._boot = processes.boot_id()
        self._looked_at = self._awake_since = clock.monotonic()

    def find(self, tag: str) -> base.Server | None:
        """Return the server with ``tag`` as it is now."""
        self._spawner.reap()
        record = self._store.read("server", tag)
        return None if record is None else self._server(record)

    def ensure(self, spec: base.ServerSpec) -> base.Server:
        """Make the server, or adopt it and start its agent again if that has died.

        :raises base.RetryableError: while a server with this tag is being removed.
        """
        self._spawner.reap()
        with self._store.lock():
            record = self._store.read("server", spec.tag)
            if record is None:
                return self._server(self._create(spec))
            if record["desired"] == "removed":
                raise base.RetryableError(f"server {spec.tag} is being removed")
            if record["desired"] == "restarting":
                self._proceed(record)
            elif self._missing(record) and not agent_health.failed(record):
                self._start(record)
            return self._server(record)

    def resize(self, tag: str, shape: Shape) -> base.Server:
        """Write down another shape and set its limits; what the engine makes of it is a command to the guest."""
        with self._store.lock():
            record = self._existing(tag)
            if record["shape"] != asdict(shape):
                record["shape"] = asdict(shape)
                self._store.write("server", record)
            self._launcher.fit(record)
        return self._server(record)

    def restart(self, tag: str) -> base.Server:
        """End the agent and the engine, then start an agent. Ask again while it is PENDING."""
        with self._store.lock():
            record = self._existing(tag)
            if record["desired"] != "restarting":
                record.update(quick_ends=0, failure=None)
                self._begin_stopping(record, "restarting")
            self._proceed(record)
            return self._server(record)

    def remove(self, tag: str) -> bool:
        """End the agent and the engine and delete the server's directory; ``True`` once that is done."""
        self._spawner.reap()
        with self._store.lock():
            record = self._store.read("server", tag)
            if record is None:
                return True
            if record["desired"] != "removed":
                self._begin_stopping(record, "removed")
            if not (self._stopped(record) and self._launcher.leave(record)):
                return False
            self._clean_up(record)
            discarded = self._store.discard("server", tag)
        if discarded is not None:
            self._store.trash.sweep(discarded)
        return True

    def grouped(self, tag: str) -> list[str]:
        """Return the tags of the servers in the group ``tag``."""
        return [record["tag"] for record in self._store.all("server") if record.get("group") == tag]

    def halt(self) -> dict[str, str]:
        """End every agent and engine and keep their records; return which servers are left, by tag, and why."""
        self._spawner.reap()
        left: dict[str, str] = {}
        for listed in self._store.all("server"):
            tag = listed["tag"]
            if (error := self._faults.attempt(f"server {tag}", self._halt, tag, left, now=True)) is not None:
                left[tag] = str(error)
        for path in self._store.unreadable("server"):
            left[path.parent.name] = f"the record {path} cannot be read"
        return left

    def _halt(self, tag: str, left: dict[str, str]) -> None:
        with self._store.lock():
            record = self._store.read("server", tag)
            if record is None:
                return
            if record["stopping_boot"] != self._boot or record["stopping_since"] < record["spawned_at"]:
                with contextlib.suppress(OSError):  # a full disk keeps nothing running
                    self._begin_stopping(record, record["desired"])
            if not (self._stopped(record) and self._launcher.leave(record)):
                left[tag] = "its processes have not ended"

    def supervise(self) -> None:
        """Start agents that should run and do not, replace those that have hung, and go on with restarts."""
        self._spawner.reap()
        now = clock.monotonic()
        if now - self._looked_at > PAUSED:
            self._awake_since = now
        self._looked_at = now
        found = {f"server {record['tag']}": record for record in self._store.all("server")}
        self._faults.keep(found)
        for name, record in found.items():
            self._faults.attempt(name, self._look_after, record)

    def _look_after(self, listed: Record) -> None:
        if not self._is_well(listed):
            self._supervise(listed["tag"])

    def _is_well(self, record: Record) -> bool:
        """Tell whether a server needs no closer look, without the lock."""
        if record["desired"] != "running" or is_isolated(record) or self._agent(record) is None:
            return False
        return self._hung(record) is None

    def _hung(self, record: Record) -> float | None:
        alive_at = watchdog.last(self._directory(record) / STATE / watchdog.FILE)
        return agent_health.hung(record, alive_at, awake_since=self._awake_since)

    def _end_hung(self, record: Record, agent: processes.Identity, silent: float) -> None:
        """End an agent that has hung, so that another one is started; its engine goes on."""
        LOG.error(
            "the agent of server %s (process %d) has not shown a sign of life for %.0f seconds; it is ended, and "
            "another one started", record["tag"], agent.pid, silent,
        )  # fmt: skip
        agent_health.count_hang(record)
        record["judged"] = [agent.pid, agent.started]  # it was us who ended it
        self._store.write("server", record)
        processes.signal_members([agent], signal.SIGKILL)

    def _supervise(self, tag: str) -> None:
        with self._store.lock():
            record = self._store.read("server", tag)
            if record is None or record["desired"] == "removed":
                return
            if record["desired"] == "restarting":
                self._proceed(record)
            elif (agent := self._agent(record)) is not None:
                if (silent := self._hung(record)) is not None:
                    self._end_hung(record, agent, silent)
                elif not self._launcher.maintain(record, agent):
                    # Its engine may serve those inside, but nobody reaches it, and only a start brings it back.
                    LOG.warning("server %s has lost its network; restarting it", tag)
                    self._begin_stopping(record, "restarting")
                    self._proceed(record)
            elif self._missing(record) and self._pause_is_over(record):
                LOG.warning("the agent of server %s is not running; starting it", tag)
                self._start(record)

    # what is and what should be

    def _existing(self, tag: str) -> Record:
        record = self._store.read("server", tag)
        if record is None:
            raise base.NotFoundError(f"there is no server {tag}")
        if record["desired"] == "removed":
            raise base.RetryableError(f"server {tag} is being removed")
        return record

    def _server(self, record: Record) -> base.Server:
        status, detail = base.Status.PENDING, "the guest agent is not running"
        if record["desired"] == "removed":
            detail = "is being removed"
        elif record["desired"] == "restarting":
            detail = "is restarting"
        elif self._agent(record) is not None:
            status, detail = base.Status.READY, ""
        elif agent_health.failed(record):
            status, detail = base.Status.FAILED, agent_health.detail(record, self._launcher.log_file(record))
        return base.Server(record["tag"], slug("server", record["tag"]), Shape(**record["shape"]), status, detail)

    def _agent(self, record: Record) -> processes.Identity | None:
        """Return the running agent: the one in the record, which a reboot makes meaningless."""
        if record["pid"] is None or record["boot"] != self._boot:
            return None
        identity = processes.Identity(record["pid"], record["started"])
        if not processes.is_alive(identity):
            return None
        mark, membership = processes.mark_of(identity.pid), self._membership(record)
        known = membership.owns(identity.pid) if mark in ("", record["tag"]) else membership.marked(identity.pid)
        return identity if known else None

    def _missing(self, record: Record) -> bool:
        """Tell whether no agent runs, and write down what the end of the last one means. The caller holds the lock."""
        if self._agent(record) is not None:
            return False
        if record["boot"] != self._boot:  # the host was started since, which ends every agent
            record.update(quick_ends=0, failure=None)
            return True
        before = dict(record)
        lifetime = clock.monotonic() - record["spawned_at"]
        status = self._spawner.exit_status(processes.Identity(record["pid"], record["started"]))
        agent_health.record_exit(record, status, self._launcher.log_file(record), lifetime=lifetime)
        if record != before:
            self._store.write("server", record)
            if record["failure"]:
                LOG.error("server %s: %s", record["tag"], agent_health.detail(record, self._launcher.log_file(record)))
        return True

    def _pause_is_over(self, record: Record) -> bool:
        since: float = clock.monotonic() - record["spawned_at"]
        return record["boot"] != self._boot or since > agent_health.pause(record)

    def _proceed(self, record: Record) -> None:
        """Take a restart one step further. The caller holds the lock."""
        if self._stopped(record):
            record.update(desired="running", pid=None)  # it was us who ended it, so that does not count against it
            self._start(record)

    def _begin_stopping(self, record: Record, desired: str) -> None:
        record.update(desired=desired, stopping_since=clock.monotonic(), stopping_boot=self._boot)
        self._store.write("server", record)

    def _stopped(self, record: Record) -> bool:
        """Signal everything that belongs to the server; ``True`` when nothing is left.

        The caller holds the lock: nobody else may start an agent between the look and the signal.
        """
        members = processes.find_members(self._membership(record))
        gentle = record["stopping_boot"] == self._boot and clock.monotonic() - record["stopping_since"] < GRACE
        processes.signal_members(members, signal.SIGTERM if gentle else signal.SIGKILL)
        return not members

    def _membership(self, record: Record) -> processes.Membership:
        directories = (self._directory(record), self._volumes.directory(record["volume_tag"]))
        uid = record.get("uid")  # who it was started as: the option may say something else by now
        if uid is None:
            shared = self._store.accounts.shared
            uid = shared.uid if shared else os.getuid()
        return processes.Membership(
            record["tag"],
            tuple(os.path.realpath(path) for path in directories),
            uid,
            tuple(record.get("cgroups", ())),
            exclusive=accounts.holds(uid, directories[1]),
        )

    def _clean_up(self, record: Record) -> None:
        """Remove what a stopped server with an account of its own has left outside of its directories."""
        volume = self._store.read("volume", record["volume_tag"])
        if volume is not None and accounts.holds(volume.get("uid"), self._volumes.directory(volume["tag"])):
            account = self._store.accounts.of(volume)
            if account is not None:
                accounts.clean_up(account)

    # making and starting

    def _directory(self, record: Record) -> Path:
        return self._store.directory("server", record["tag"])

    def _create(self, spec: base.ServerSpec) -> Record:
        """Make the server and start its agent."""
        group = spec.group
        if group is not None and group.policy == "anti-affinity" and self.grouped(group.tag):
            raise base.QuotaError("there is no second host to keep the server apart from the others of its group")
        record, document = server_record.new_record(spec, self._store, self._volumes, self._images)
        account = self._volumes.require(spec.volume_tag)
        record["uid"] = os.getuid() if account is None else account.uid
        self._store.make_directory("server", record, STATE, {BOOTSTRAP: document}, account)
        self._start(record, adopt=False)
        return record

    def _start(self, record: Record, *, adopt: bool = True) -> None:
        """Start the agent, unless one runs that an earlier start did not live to write down. The caller holds the
        lock.

        :param adopt: look for such a one among all processes of the host; not for a server that was made a moment ago.
        """
        file = str(self._directory(record) / STATE / BOOTSTRAP)
        identity = processes.find_agent(self._membership(record), file) if adopt else None
        if identity is None:
            identity = self._launcher.spawn(record, file)
            LOG.info("started the agent of server %s as process %d", record["tag"], identity.pid)
        record.update(pid=identity.pid, started=identity.started, boot=self._boot, spawned_at=clock.monotonic())
        self._store.write("server", record)
