# SPDX-License-Identifier: Apache-2.0
"""Who listens on a port of this host; for messages that name the holder of an address that is wanted.

From Linux's /proc (proc_pid_net(5)): the sockets that listen, then the process that has one of them open. Processes of
other users keep theirs to themselves.
"""

import contextlib
import errno
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TABLES = ("net/tcp", "net/tcp6")
#: TCP_LISTEN of <net/tcp_states.h>.
_LISTENING = "0A"


class CannotListen(OSError):
    """An address cannot be listened on; the text names it, who has it, and the option to change."""


@contextlib.contextmanager
def explained(address: tuple[str, int] | str, options: str) -> Iterator[None]:
    """Turn what binding an address raises into :class:`CannotListen`.

    :param address: host and port, or the path of a UNIX socket.
    :param options: what to change.
    """
    try:
        yield
    except OSError as err:
        if err.filename is not None or isinstance(err, ssl.SSLError):  # a certificate, read before
            raise
        if isinstance(address, str):
            raise CannotListen(f"cannot listen on {address}: {err}") from err
        host, port = address[:2]
        # Libraries raise errors of their own around that of the system.
        held = errno.EADDRINUSE in (err.errno, getattr(err.__cause__, "errno", None)) or "in use" in str(err)
        reason = f"it is in use by {holder(port)}" if held else str(err)
        raise CannotListen(f"cannot listen on {host} port {port}: {reason}; set {options}") from err


def holder(port: int) -> str:
    """Return who listens on TCP port ``port`` of any address, for people: ``trove-api (pid 42)``."""
    sockets = set(_listening(port))
    for pid in sorted(int(name) for name in os.listdir(_PROC) if name.isdigit()) if sockets else ():
        if sockets & _sockets(pid):
            return f"{_program(pid)} (pid {pid})"
    return "another program"


def _listening(port: int) -> Iterator[str]:
    for table in _TABLES:
        with contextlib.suppress(OSError):
            for line in (_PROC / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield f"socket:[{fields[9]}]"


def _sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(_PROC / str(pid) / "fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(entry.path))
    return found


def _program(pid: int) -> str:
    """Return the name of a program; of an interpreted one that of the script or module. No other argument: they may
    hold anything."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "a process"
    name = os.path.basename(words[0])
    if name.startswith("python"):
        arguments = [word for word in words[1:] if word not in ("-P", "-I", "-S", "-m")]
        name = os.path.basename(arguments[0]) if arguments and not arguments[0].startswith("-") else name
    return "".join(char for char in name if char.isprintable())[:100] or "a process"
