# SPDX-License-Identifier: Apache-2.0
"""Start guests so that they outlive this process, and find their processes again.

A process number alone proves nothing: it may have been used again. A process is known by its number *and* its start
time (:class:`Identity`), and it belongs to a server because its environment carries the server's mark
(``TROVE_INSTANCE=<tag>``), which agents pass on to their engines, or because it descends from such a process. Some
engines write their title over their environment (PostgreSQL's children do); an orphan of that sort is known by its
working directory inside the instance's directories. Whoever runs under an account that only this instance has
(:mod:`.accounts`) belongs to it, whatever it shows. In tier 2 whoever is in the server's control groups belongs to it
as well. Anybody can write a mark into an environment, so it does not count for a process of another account than the
server's agent was started with: such a process is ignored, and reported.

Nothing is ever found by its name, and everything is looked at again through a process handle right before it is
signalled, so that the signal cannot reach a stranger who got the number meanwhile. See proc(5) and pidfd_open(2).
"""

import contextlib
import functools
import logging
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from trove.common import clock
from trove.providers import base
from trove.providers.local import cgroups, privileges

LOG = logging.getLogger(__name__)

MARK = "TROVE_INSTANCE"

_PROC = Path("/proc")
_SETTLE = 10.0
#: Exit statuses that are remembered.
_ENDINGS_KEPT = 1000
#: How much is read of what a process shows of its environment or arguments, in bytes.
_MOST_SHOWN = 256 * 1024


class Identity(NamedTuple):
    """One process for all times of this boot: its number and when it started (clock ticks since boot)."""

    pid: int
    started: int


class _Stat(NamedTuple):
    state: str
    parent: int
    terminal: int
    started: int


@dataclass(frozen=True)
class Membership:
    """What makes a process part of a server.

    :ivar tag: value of the mark.
    :ivar directories: the instance's own directories, real paths.
    :ivar uid: the account that its agent was started with. A launcher that has not given up root's rights yet, which
        is this process's own user, counts as well.
    :ivar groups: control groups in which nobody else is.
    :ivar exclusive: whether nobody else has the account.
    """

    tag: str
    directories: tuple[str, ...]
    uid: int
    groups: tuple[str, ...] = ()
    exclusive: bool = False

    def marked(self, pid: int) -> bool:
        """Tell whether the process is of the account and carries the mark, or is an orphan of this instance that has
        overwritten its environment. Where nobody else has the account, it is enough."""
        if self.exclusive and self.uid in users_of(pid):
            return True
        environment = _shown(pid, "environ")
        if environment is None:
            return False
        if f"{MARK}={self.tag}".encode() in environment.split(b"\0"):
            return self.owns(pid)
        return b"=" not in environment and self._orphan_inside(pid)

    def owns(self, pid: int) -> bool:
        """Tell whether a process runs under the account of the server's agent; report one that does not."""
        users = users_of(pid)
        if users <= {self.uid, os.getuid()}:
            return bool(users)
        _report_stranger(pid, identify(pid), max(users - {self.uid}), self.tag, self.uid)
        return False

    def _orphan_inside(self, pid: int) -> bool:
        # An operator's shell or editor in the same directory has a readable environment and a terminal.
        found = read_stat(pid)
        try:
            cwd = os.readlink(_PROC / str(pid) / "cwd")
        except OSError:
            return False
        inside = any(cwd == path or cwd.startswith(path + "/") for path in self.directories)
        return inside and users_of(pid) == {self.uid} and found is not None and found.terminal == 0


@functools.lru_cache(maxsize=1000)  # once for each process, not in every round
def _report_stranger(pid: int, _identity: "Identity | None", user: int, tag: str, expected: int) -> None:
    LOG.warning(
        "process %d of user id %d poses as one of server %s, whose processes run as user id %d; it is ignored",
        pid, user, tag, expected,
    )  # fmt: skip


def _shown(pid: int, what: str) -> bytes | None:
    """Return what a process shows of its ``environ`` or ``cmdline``; ``None`` when it shows nothing to us."""
    try:
        with open(_PROC / str(pid) / what, "rb") as stream:
            return stream.read(_MOST_SHOWN)
    except OSError:
        return None


def users_of(pid: int) -> frozenset[int]:
    """Return the real, effective, saved and file-system user ids of a process; none when it is gone.

    Not the owner of ``/proc/<pid>``, which is root for one that has changed its user since it was executed.
    """
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(int(word) for line in lines if line.startswith("Uid:") for word in line.split()[1:])


def boot_id() -> str:
    """Return what differs after each boot of the host, and so makes all identities of earlier ones meaningless.

    :raises base.FatalError: on a host without Linux's /proc.
    """
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError as err:
        raise base.FatalError(f"the local provider needs the /proc of Linux: {err}") from err


def read_stat(pid: int) -> _Stat | None:
    """Return what ``/proc/<pid>/stat`` says, or ``None`` for a process that is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()  # the name before it may hold anything
    return _Stat(fields[0], int(fields[1]), int(fields[4]), int(fields[19]))


def identify(pid: int) -> Identity | None:
    """Return the identity of a living process; ``None`` when it is gone or only waits to be reaped."""
    found = read_stat(pid)
    return None if found is None or found.state in "ZX" else Identity(pid, found.started)


def is_alive(identity: Identity) -> bool:
    """Tell whether this very process still runs."""
    return identify(identity.pid) == identity


def mark_of(pid: int) -> str | None:
    """Return the mark that a process carries, ``None`` for one without.

    Empty while the kernel shows no environment, as it does for a moment after execve(2) and before the end.
    """
    environment = _shown(pid, "environ")
    if not environment:
        return ""
    prefix = f"{MARK}=".encode()
    marks = (word[len(prefix):] for word in environment.split(b"\0") if word.startswith(prefix))
    return next((mark.decode(errors="replace") for mark in marks), None)


def find_members(membership: Membership) -> list[Identity]:
    """Return every living process of a server: the marked ones, then their descendants."""
    living: dict[int, _Stat] = {}
    for name in os.listdir(_PROC):
        if name.isdigit() and (found := read_stat(int(name))) is not None and found.state not in "ZX":
            living[int(name)] = found
    members = {pid for pid in living if membership.marked(pid)}
    members |= living.keys() & cgroups.members(membership.groups)
    members.discard(os.getpid())
    ordered = sorted(members, key=lambda pid: living[pid].started)
    grown = True
    while grown:
        children = [pid for pid, found in living.items() if found.parent in members and pid not in members]
        members.update(children)
        ordered += children
        grown = bool(children)
    return [Identity(pid, living[pid].started) for pid in ordered]


def find_agent(membership: Membership, marker: str) -> Identity | None:
    """Return the marked process whose command line has the argument ``marker``, the oldest one when there are
    several."""
    for member in find_members(membership):
        arguments = (_shown(member.pid, "cmdline") or b"").split(b"\0")
        if marker.encode() in arguments and membership.marked(member.pid):
            return member
    return None


def signal_members(members: Sequence[Identity], number: signal.Signals) -> None:
    """Send a signal to each of these very processes; those that are gone by now are skipped, and those that may not be
    signalled are reported."""
    for member in members:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(member.pid)
            try:
                if is_alive(member):  # the handle keeps the number from meaning anybody else from here on
                    signal.pidfd_send_signal(handle, number)
            except PermissionError as err:
                LOG.error("process %d cannot be signalled: %s", member.pid, err)
            finally:
                os.close(handle)


@dataclass(frozen=True)
class Launch:
    """A program to start.

    :ivar words: what the launcher (:mod:`.launch`) is told; none for a program of this process's own user.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    words: Sequence[str] = ()


class Forker(Protocol):
    """Makes processes of the agent's program without starting it afresh, see :mod:`.zygote_client`."""

    def spawn(self, launch: Launch, log: int, status: int) -> Identity | None: ...

    def exits(self) -> list[tuple[Identity, int]]: ...


class Spawner:
    """Starts detached processes and reaps those of them that end while this process lives.

    :param forker: asked first, where there is one.
    """

    def __init__(self, forker: Forker | None = None) -> None:
        self._forker = forker
        self._children: dict[Identity, subprocess.Popen[bytes]] = {}
        self._ended: dict[Identity, int] = {}
        self._lock = threading.Lock()

    def reap(self) -> None:
        """Collect the exit status of children that have ended, so that they do not stay behind as zombies."""
        with self._lock:
            for identity, child in list(self._children.items()):
                if (status := child.poll()) is not None:
                    del self._children[identity]
                    self._ended[identity] = status
            self._ended.update(self._forker.exits() if self._forker is not None else ())
            while len(self._ended) > _ENDINGS_KEPT:
                del self._ended[next(iter(self._ended))]

    def exit_status(self, identity: Identity) -> int | None:
        """Return how a process that was started here has ended, negative for a signal; ``None`` when nobody knows."""
        self.reap()
        with self._lock:
            return self._ended.get(identity)

    def spawn(self, launch: Launch, log: int) -> Identity:
        """Start a program in a session of its own, without any of our descriptors, and wait until it is itself.

        :param log: descriptor for what it prints.
        :raises base.FatalError: when it cannot be started.
        """
        self.reap()
        reader, writer = os.pipe()
        try:
            identity = self._forker.spawn(launch, log, writer) if self._forker is not None else None
            if identity is None:
                identity = self._start(launch, log, writer if launch.words else None)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._confirm(reader)
        if identity.started == 0:
            raise base.RetryableError("the guest agent ended at once")
        return identity

    def _start(self, launch: Launch, log: int, writer: int | None) -> Identity:
        argv = privileges.launcher_command(launch.argv, launch.words, writer) if writer is not None else launch.argv
        try:
            child = subprocess.Popen(
                argv,
                env=dict(launch.env),
                cwd="/" if writer is not None else launch.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                close_fds=True,
                pass_fds=() if writer is None else (writer,),
                umask=0o077,
            )
        except OSError as err:
            raise base.FatalError(f"the guest agent cannot be started: {err}") from err
        started = read_stat(child.pid)  # even when it has ended already, we have not reaped it
        identity = Identity(child.pid, started.started if started is not None else 0)
        with self._lock:
            self._children[identity] = child
        return identity

    @staticmethod
    def _confirm(reader: int) -> None:
        until = clock.monotonic() + _SETTLE
        complaint = b""
        try:
            while select.select([reader], [], [], max(0.0, until - clock.monotonic()))[0]:
                piece = os.read(reader, 4096)
                if not piece:  # closed by the start of the program
                    break
                complaint += piece
        finally:
            os.close(reader)
        if complaint:
            raise base.FatalError(complaint.decode(errors="replace").strip())
