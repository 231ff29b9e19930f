# SPDX-License-Identifier: Apache-2.0
"""Talk to the server over its private socket: the few words of RESP 2 that an administrator needs.

Source: "Redis serialization protocol specification". Written here because the usual client library (redis-py) costs the
agent 10 MB of memory and 0.1 s of each start, for connection pools, clusters and TLS that nobody uses on this socket.

Every call is bounded in time, a server that hangs included. Secrets do not pass here but the administrator's own
password; users' passwords are sent as hashes.
"""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trove.common import clock
from trove.datastores.redis_family import config, facts

#: Seconds for one command of an administrator; replies are short, but a script may hold the server.
COMMAND_TIMEOUT = 30.0
#: Seconds for which a command waits for a free connection when tenants use them all.
CONNECTION_WAIT = 10.0
TOO_MANY = "max number of clients"
#: An answer longer than this is none to what is asked here (64 MiB: 10000 users with long rules are 3 MiB).
_MAX_REPLY = 64 * 1024 * 1024


class ReplyError(Exception):
    """The server answered with an error; ``code`` is its first word (``NOAUTH``, ``LOADING``, ``MISCONF``)."""

    def __init__(self, text: str) -> None:
        self.code = text.split(" ", 1)[0]
        self.text = text
        super().__init__(text)


class Unreachable(Exception):
    """The server could not be reached, hung up, or did not answer in time; the text has no secrets."""


def is_away(err: ReplyError | Unreachable) -> bool:
    """Tell whether the server is not there, hung up or still loads its data, rather than refusing."""
    return isinstance(err, Unreachable) or err.code == "LOADING"


#: Seconds between two attempts to get a connection.
_RETRY = 0.05


@dataclass(frozen=True)
class Address:
    """How to reach one server as Trove's own account."""

    socket_dir: Path
    password: str

    def __repr__(self) -> str:  # holds a password
        return f"<Address {self.socket_dir}>"


class Connection:
    """One connection. Not for several threads."""

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._buffer = bytearray()

    def call(self, *words: str) -> Any:
        """Send a command and return its answer: text, integer, list or ``None``.

        :raises ReplyError: the server refused.
        :raises Unreachable: otherwise, or when the connection's time is over.
        """
        reply = self.ask(*words)
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def ask(self, *words: str) -> Any:
        """Like :meth:`call`, but return an error instead of raising it."""
        try:
            self._bound()
            # One that hangs up at once, for want of a free connection, has said so before.
            with contextlib.suppress(BrokenPipeError):
                self._stream.sendall(encode(words))
            return self._reply()
        except OSError as err:
            raise Unreachable(_why(err)) from err

    def transaction(self, commands: Sequence[Sequence[str]]) -> None:
        """Carry out commands as one: no other client sees what is between them.

        All are carried out, also after one that fails; the first failure is raised then.

        :raises ReplyError: one of them was refused; when it was refused before ``EXEC``, none was carried out.
        """
        self.call("MULTI")
        for words in commands:
            self.call(*words)
        for reply in self.call("EXEC") or ():
            if isinstance(reply, ReplyError):
                raise reply

    def _bound(self) -> None:
        left = self._deadline - clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._stream.settimeout(left)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _receive(self) -> None:
        self._bound()
        data = self._stream.recv(65536)
        if not data or len(self._buffer) > _MAX_REPLY:
            raise ConnectionError("the server hung up")
        self._buffer += data

    def _reply(self) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:].decode(errors="replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest)
        if kind not in b":$*" or not rest.lstrip("-").isdigit():
            raise ConnectionError("the server does not speak RESP")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"*":
            return [self._reply() for _ in range(number)]
        while len(self._buffer) < number + 2:
            self._receive()
        text = bytes(self._buffer[:number]).decode(errors="replace")
        del self._buffer[: number + 2]
        return text


def encode(words: Sequence[str]) -> bytes:
    """Return a command as RESP: each word with its length, so no character of it can mean anything else."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)


@contextlib.contextmanager
def connected(path: Path, timeout: float) -> Iterator[Connection]:
    """Connect to the socket ``path`` and close the connection afterwards; it may be used for ``timeout`` seconds.

    :raises Unreachable: when there is no server.
    """
    deadline = clock.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(timeout)
        try:
            stream.connect(str(path))
        except OSError as err:
            raise Unreachable(_why(err)) from err
        yield Connection(stream, deadline)


@contextlib.contextmanager
def session(address: Address, timeout: float = COMMAND_TIMEOUT, wait: float = 0.0) -> Iterator[Connection]:
    """Connect, log in, and close the connection afterwards; the whole session takes at most ``timeout`` seconds.

    :param wait: seconds to wait for a free connection: the engine keeps none for administrators.
    :raises Unreachable: when there is no server.
    :raises ReplyError: when it does not let us in.
    """
    deadline = clock.monotonic() + wait
    while True:
        with connected(address.socket_dir / config.SOCKET_NAME, timeout) as connection:
            try:
                connection.call("AUTH", facts.ADMIN, address.password)
            except ReplyError as err:
                if TOO_MANY not in err.text or clock.monotonic() > deadline:
                    raise
            else:
                # However little memory the owner leaves to clients, ours is not ended for it.
                connection.ask("CLIENT", "NO-EVICT", "ON")
                yield connection
                return
        clock.sleep(_RETRY)


def _why(err: OSError) -> str:
    if isinstance(err, TimeoutError):
        return "it does not answer in time"
    return err.strerror or str(err)


def parse_info(text: str) -> dict[str, str]:
    """Return the fields of ``INFO``."""
    found = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator and not line.startswith("#"):
            found[name] = value
    return found
