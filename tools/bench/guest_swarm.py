# SPDX-License-Identifier: Apache-2.0
"""Simulated guests for ``guests.py``: real envelopes (:mod:`trove.guestbus`) in real HTTP over TCP, thousands of guests
in one process.

Each guest has one connection, as an agent has: one with a held poll, which is a heartbeat too. Now and then one of them
sends a heartbeat apart, on a second one. A process of them obeys a pipe:
``("dial", port)``, ``("steady", seconds)``, ``("saturate", seconds, connections)``, ``("attack", seconds)``,
``("end",)``; each but the last is answered with a :class:`Seen` when it is done.
"""

import asyncio
import os
import random
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from trove.common import ids
from trove.guestagent.heartbeat import JITTER, POLL_SHARE
from trove.guestbus import envelope, framing, keys
from trove.guestbus.envelope import Header
from trove.wire import report

#: Seconds between two heartbeats of a guest at most: the default.
INTERVAL = 10.0
#: Seconds between two heartbeats that are sent apart, in one process.
_APART = 0.1
#: Guests that dial in a second, of one process.
_DIALS = 400.0


@dataclass
class Seen:
    """What happened in one phase.

    :ivar latencies: of heartbeats, in seconds.
    :ivar answers: HTTP statuses, and ``0`` for a connection that broke, with how often.
    :ivar delivered: when each command came, on the system's monotonic clock.
    """

    latencies: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    delivered: dict[str, float] = field(default_factory=dict)

    def add(self, other: "Seen") -> None:
        """Add what another process has seen."""
        self.latencies += other.latencies
        self.answers += other.answers
        self.delivered |= other.delivered


class Broken(Exception):
    """The connection has ended before the answer."""


class Channel(asyncio.Protocol):
    """One connection: one request at a time. It does no more than it must, so that the server is what is measured."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Broken())

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        size = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= size and self._answer is not None and not self._answer.done():
            self._data = b""
            self._answer.set_result((int(head[9:12]), rest))
            if b"connection: close" in lowered:
                self.close()

    async def request(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        """Send and return status and body.

        :raises Broken: see there.
        """
        if self.closed or self._transport is None:
            raise Broken
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body))
        return await self._answer

    def close(self) -> None:
        """End it."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()


class Guest:
    """One guest: it seals what it says and opens what it hears."""

    __slots__ = ("head", "id", "master", "polls", "sequence")

    def __init__(self, instance_id: str, master: bytes) -> None:
        self.id = instance_id
        self.master = master
        self.sequence = 1
        self.polls: Channel | None = None
        path, kind = f"/v1/guests/{instance_id}/exchange", framing.CONTENT_TYPE
        self.head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {kind}\r\n".encode()

    def seal(self, message: report.Report) -> bytes:
        """Return the next envelope."""
        self.sequence += 1
        now = int(time.time() * 1000)
        header = Header(
            instance_id=self.id, direction=keys.TO_CONTROL, boot=1, sequence=self.sequence, message_id=ids.new_id(),
            name=message.name, version=message.version, sent_at=now, not_after=now + 3_600_000, generation=1,
        )  # fmt: skip
        return envelope.seal(header, message.to_wire(), self.master)

    def beat(self) -> bytes:
        """Return a heartbeat."""
        return self.seal(_heartbeat())

    def poll(self) -> bytes:
        """Return a poll that is a heartbeat too."""
        return self.seal(report.Poll(report_id=ids.new_id(), wait=hold_seconds(), heartbeat=_heartbeat()))

    def commands(self, body: bytes) -> list[str]:
        """Return the ids of commands in an answer."""
        found = []
        for data in framing.split(body):
            header, fields = envelope.open_envelope(data, self.master, instance_id=self.id, direction=keys.TO_GUEST)
            if header.name == "command":
                found.append(str(fields["id"]))
        return found


class Swarm:
    """All guests of one process."""

    def __init__(self, guests: list[tuple[str, bytes]], number: int) -> None:
        self._guests = [Guest(*item) for item in guests]
        self._local = f"127.0.0.{number + 2}"  # one address has too few ports for all
        self._port = 0
        self._seen = Seen()
        self._tasks: list[asyncio.Task[None]] = []
        self._beating = True

    async def obey(self, pipe: Connection) -> None:
        """Do what the pipe says until it says ``end``."""
        loop = asyncio.get_running_loop()
        while True:
            order, *arguments = await loop.run_in_executor(None, pipe.recv)
            if order == "end":
                return
            self._seen = Seen()
            await getattr(self, f"_{order}")(*arguments)
            pipe.send(self._seen)

    async def _dial(self, port: int) -> None:
        """Leave where they were and dial there: a poll of each guest."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for guest in self._guests:
            if guest.polls is not None:
                guest.polls.close()
            guest.polls = None
        self._port = port
        self._tasks = []
        for number, guest in enumerate(self._guests):
            self._tasks.append(asyncio.create_task(self._poll(guest, number / _DIALS)))
        self._tasks.append(asyncio.create_task(self._beat(len(self._guests) / _DIALS)))
        await asyncio.sleep(len(self._guests) / _DIALS + INTERVAL)

    async def _steady(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _saturate(self, seconds: float, connections: int) -> None:
        """Send heartbeats one after the other on each of some connections; the others pause."""
        self._beating = False
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._press(number, connections, end) for number in range(connections)))
        self._beating = True

    async def _press(self, number: int, step: int, end: float) -> None:
        channel = await self._connect()
        while time.monotonic() < end:
            guest = self._guests[number % len(self._guests)]
            number += step
            started = time.monotonic()
            try:
                status, _body = await channel.request(guest.head, guest.beat())
            except Broken:
                status, channel = 0, await self._connect()
            self._seen.answers[status] += 1
            self._seen.latencies.append(time.monotonic() - started)
        channel.close()

    async def _poll(self, guest: Guest, after: float) -> None:
        await asyncio.sleep(after)
        while True:
            guest.polls, status, body = await self._ask(guest, guest.polls, guest.poll())
            if status != 200:
                await asyncio.sleep(random.uniform(0.5, 1.5))
                continue
            for command_id in guest.commands(body):
                self._seen.delivered[command_id] = time.monotonic()
                for state in ("ACCEPTED", "DONE"):
                    message = report.CommandResult(report_id=ids.new_id(), command_id=command_id, state=state)
                    guest.polls, _status, _body = await self._ask(guest, guest.polls, guest.seal(message))

    async def _beat(self, after: float) -> None:
        """Send a heartbeat of one guest after another, as after a change of its service."""
        await asyncio.sleep(after)
        while True:
            if self._beating:
                guest = random.choice(self._guests)
                channel, data = await self._connect(), guest.beat()
                started = time.monotonic()
                await self._ask(guest, channel, data)
                self._seen.latencies.append(time.monotonic() - started)
                channel.close()
            await asyncio.sleep(_APART)

    async def _ask(self, guest: Guest, channel: Channel | None, data: bytes) -> tuple[Channel, int, bytes]:
        if channel is None or channel.closed:
            channel = await self._connect()
        try:
            status, body = await channel.request(guest.head, data)
        except Broken:
            status, body = 0, b""
        self._seen.answers[status] += 1
        return channel, status, body

    async def _connect(self) -> Channel:
        while True:
            try:
                _transport, channel = await asyncio.get_running_loop().create_connection(
                    Channel, "127.0.0.1", self._port, local_addr=(self._local, 0)
                )
            except OSError:
                self._seen.answers[0] += 1
                await asyncio.sleep(random.uniform(0.5, 1.5))
            else:
                return channel

    # -- attacks ------------------------------------------------------------------------------------------------------

    async def _attack(self, seconds: float) -> None:
        """Be hostile: garbage in others' names, slow bodies that dial again, huge inventories in turn."""
        end = time.monotonic() + seconds
        await asyncio.gather(
            *(self._garbage(end) for _ in range(4)),
            *(self._slow_body(end) for _ in range(40)),
            *(self._inventories(guest, end) for guest in self._guests),
        )

    async def _garbage(self, end: float) -> None:
        channel = await self._connect()
        known = self._guests[0]
        while time.monotonic() < end:
            stranger = Guest(random.choice((known.id, ids.new_id())), os.urandom(32))
            stranger.sequence = 2**40
            try:
                status, _body = await channel.request(stranger.head, stranger.beat())
            except Broken:
                status, channel = 0, await self._connect()
            self._seen.answers[status] += 1

    async def _slow_body(self, end: float) -> None:
        while time.monotonic() < end:
            channel = await self._connect()
            assert channel._transport is not None
            channel._transport.write(self._guests[0].head + b"Content-Length: 900000\r\n\r\n")
            while not channel.closed and time.monotonic() < end:
                channel._transport.write(b"x")
                await asyncio.sleep(1.0)
            channel.close()

    async def _inventories(self, guest: Guest, end: float) -> None:
        channel = await self._connect()
        names = [[report.InventoryDatabase(name=f"{word}{n:05}") for n in range(10_000)] for word in ("odd", "even")]
        turn: Any = 0
        while time.monotonic() < end:
            turn = 1 - turn
            message = report.Inventory(report_id=ids.new_id(), databases=names[turn], users=[], root_enabled=False)
            try:
                status, _body = await channel.request(guest.head, guest.seal(message))
            except Broken:
                status, channel = 0, await self._connect()
            self._seen.answers[status] += 1
            if status != 200:
                await asyncio.sleep(0.05)


def hold_seconds() -> float:
    """Return for how long a poll is to be held, as an agent asks."""
    return POLL_SHARE * INTERVAL * (1 - JITTER * random.random())


def _heartbeat() -> report.Heartbeat:
    return report.Heartbeat(
        report_id=ids.new_id(), service_status="healthy", agent_version="20.1", handler_version="17",
        volume_used_bytes=random.randrange(2**30), volume_total_bytes=2**31, wal_bytes=2**24,
    )  # fmt: skip


def run(guests: list[tuple[str, bytes]], number: int, pipe: Connection) -> None:
    """Be one process of a swarm."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(Swarm(guests, number).obey(pipe))
