# SPDX-License-Identifier: Apache-2.0
"""The guest's side of the conversation: enrolment, sealing, opening. No I/O but the key store's.

::

    ENROL ──seal_enrol()──▶ ENROL ──'enrolled' opened──▶ CONFIRM ──anything opened under the new key──▶ ENROLLED

* *ENROL*: only the one-time key is known. ``seal_enrol`` makes a new exchange key each time; only the answer that
  echoes the latest one counts, so a late answer to an earlier attempt cannot leave the two sides with different keys.
* *CONFIRM*: the new key is saved. The agent says hello under it until that is acknowledged. The one-time key still
  works, because the control plane may never have got the hello: ``seal_enrol`` starts over.
* *ENROLLED*: the control plane has used the new key. The one-time key is worthless on both sides; the agent removes it
  from the bootstrap document. Its key may be followed by others (:meth:`GuestSession.renew`): the next one is saved
  before the control plane can know it, both count until something is heard under the next, and then the old one is
  erased. So whichever side dies at whichever point, there is a key that both have.

The guest does not trust its own clock, which may be years off after a restore. What is fresh it judges by the control
plane's: the highest authenticated ``sent_at`` it has heard; a message whose ``not_after`` lies below that is refused. A
replay inside that time is harmless: commands are known by their journalled id, answers to an enrolment by the echo,
acknowledgements by report ids.

>>> session = GuestSession(bootstrap, FileKeyStore("/var/lib/trove-guest/keys"))              # doctest: +SKIP
>>> for answer in transport.exchange(session.seal_enrol("1.0", "1.0"), 0):                    # doctest: +SKIP
...     session.open_from_control(answer)
>>> transport.exchange(session.seal_report(Hello(report_id=new_id(), ...)), 0)                # doctest: +SKIP
"""

import enum
import threading
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from trove.common import clock, ids
from trove.guestbus import envelope, keys
from trove.guestbus.envelope import EnvelopeError, Header
from trove.guestbus.key_store import KeyState, KeyStore
from trove.wire import base, bootstrap, command, report

#: How long a report means anything, in milliseconds. The control plane does not trust a guest's clock and ignores it.
_REPORT_LIFETIME = 3_600_000
#: Seconds by which our clocks may differ in what has passed: those that do and do not count sleep; the time of day,
#: which is corrected now and then.
_NAP = 1.0
_JUMP = 30.0
#: ``heard_at`` is written to disk when it has advanced by this much (milliseconds), not for every message.
_HEARD_GRAIN = 60_000


class Phase(enum.Enum):
    """How far the enrolment is."""

    ENROL = "enrol"
    CONFIRM = "confirm"
    ENROLLED = "enrolled"


class NotEnrolled(Exception):
    """There is no key to seal this with."""


class _Reference(NamedTuple):
    """The control plane's time in milliseconds, and what our own clocks said at that moment, in seconds."""

    heard: int
    boottime: float
    monotonic: float
    timestamp: float

    @classmethod
    def now(cls, heard: int) -> "_Reference":
        """Return the reference for a time that was just heard."""
        return cls(heard, clock.boottime(), clock.monotonic(), clock.timestamp())

    def reckon(self) -> int:
        """Return the control plane's time, by the clock that goes on while the machine sleeps."""
        return self.heard + int((clock.boottime() - self.boottime) * 1000)

    def is_doubtful(self) -> bool:
        """Tell whether our clocks have counted different times since: the machine slept, or was paused and then set
        right."""
        passed = clock.boottime() - self.boottime
        asleep = passed - (clock.monotonic() - self.monotonic)
        jumped = abs(clock.timestamp() - self.timestamp - passed)
        return asleep > _NAP or jumped > _JUMP


class GuestSession:
    """Seals what one agent says and opens what it hears. Thread-safe.

    Making one begins a new boot, which is on disk before the first message can be sealed.

    :param document: the bootstrap document; its one-time key is used only while the guest is not enrolled.
    :raises KeyStoreError: see :meth:`KeyStore.load`.
    :raises OSError: when the new boot cannot be saved.
    """

    def __init__(self, document: bootstrap.Bootstrap, key_store: KeyStore) -> None:
        self.instance_id = document.instance_id
        self._one_time = bytes.fromhex(document.one_time_key) if document.one_time_key else None
        self._store = key_store
        self._lock = threading.Lock()
        self._exchange: keys.ExchangeKey | None = None
        self._state = key_store.load() or KeyState()
        self._heard = self._state.heard_at
        #: ``None`` until the control plane's time was heard.
        self._reference: _Reference | None = None
        self._sequence = 0
        if self._state.confirmed:
            self._one_time = None
        self.new_boot()

    @property
    def phase(self) -> Phase:
        """How far the enrolment is."""
        if self._state.master is None:
            return Phase.ENROL
        return Phase.ENROLLED if self._state.confirmed else Phase.CONFIRM

    @property
    def boot(self) -> int:
        """Number of the current boot, from 1."""
        return self._state.boot

    def new_boot(self) -> None:
        """Begin a new boot: sequences start at 1 and the next message must be ``hello`` or ``enrol``.

        Also the remedy when the control plane refuses what is sealed under the real keys.
        """
        with self._lock:
            self._save(boot=self._state.boot + 1)
            self._sequence = 0

    def seal_enrol(
        self, agent_version: str, handler_version: str, commands: Mapping[str, list[int]] | None = None
    ) -> bytes:
        """Return a sealed ``enrol`` with a new exchange key; earlier attempts are void.

        :param commands: what the agent can carry out, to get what waits for it with the answer.
        :raises NotEnrolled: when the enrolment is over or the bootstrap document has no one-time key.
        """
        with self._lock:
            if self._one_time is None:
                raise NotEnrolled("there is no one-time key to enrol with")
            self._exchange = keys.ExchangeKey()
            message = report.Enrol(
                report_id=ids.new_id(),
                public_key=self._exchange.public.hex(),
                agent_version=agent_version,
                handler_version=handler_version,
                protocol_min=base.PROTOCOL_MIN,
                protocol_max=base.PROTOCOL_MAX,
                commands=dict(commands or {}),
            )
            return self._seal(message, self._one_time, keys.ONE_TIME)

    def seal_report(self, message: report.Report) -> bytes:
        """Return ``message`` in a new envelope under the real key. To send a report again, seal it again.

        :raises NotEnrolled: before the exchange.
        :raises EnvelopeError: when the report is too large.
        """
        with self._lock:
            if self._state.master is None or isinstance(message, report.Enrol):
                raise NotEnrolled("reports are sealed under the key that the enrolment agrees on")
            return self._seal(message, bytes.fromhex(self._state.master), self._state.generation)

    def renew(self, order: command.RotateKeys) -> dict[str, str]:
        """Agree on the next generation of the master key and save it; return the guest's half. Safe to repeat.

        :raises NotEnrolled: when this is not the generation that comes next.
        :raises KeyAgreementError: for a public key that no exchange can be made with.
        :raises OSError: when the key could not be saved.
        """
        with self._lock:
            state = self._state
            if state.master is None or not state.confirmed or order.generation != state.generation + 1:
                raise NotEnrolled(f"generation {order.generation} does not follow generation {state.generation}")
            if state.answered is None or state.answered[0] != order.public_key:
                exchange, peer = keys.ExchangeKey(), bytes.fromhex(order.public_key)
                fresh = exchange.agree(
                    peer,
                    one_time_key=bytes.fromhex(state.master),
                    guest=exchange.public,
                    control=peer,
                    instance_id=self.instance_id,
                    generation=order.generation,
                )
                self._save(next=fresh.hex(), answered=(order.public_key, exchange.public.hex()))
            assert self._state.answered is not None
            return {"public_key": self._state.answered[1], "peer_public_key": self._state.answered[0]}

    def open_from_control(self, data: bytes) -> base.Message:
        """Verify, decrypt and decode one envelope; an ``enrolled`` also completes the exchange.

        :returns: one of :data:`trove.wire.command.TO_GUEST`.
        :raises EnvelopeError: for anything but a fresh, well-formed message of the control plane to this guest. Drop
            it.
        :raises OSError: when a new key could not be saved; the exchange did not happen.
        """
        with self._lock:
            claimed = envelope.peek(data)
            header, body = envelope.open_envelope(
                data, self._master(claimed.generation), instance_id=self.instance_id, direction=keys.TO_GUEST
            )
            try:
                message = base.decode(command.TO_GUEST, header.name, header.version, body)
            except base.MalformedMessage as err:
                raise EnvelopeError(str(err)) from None
            # A command that has a deadline of its own is heard all the same: whoever asks gets to know its fate.
            judged = isinstance(message, command.CommandFrame) and message.deadline is not None
            if header.not_after < self._heard and not judged:
                raise EnvelopeError(f"'{header.name}' is no longer valid")
            if header.generation == keys.ONE_TIME:
                self._open_enrolment(message)
            elif not self._state.confirmed:
                self._save(confirmed=True)
                self._one_time = None
                self._exchange = None
            elif header.generation != self._state.generation:
                self._save(generation=header.generation, master=self._state.next, next=None, answered=None)
            self._hear(header)
            return message

    def _master(self, generation: int) -> bytes:
        if generation == keys.ONE_TIME:
            if self._one_time is not None and not self._state.confirmed:
                return self._one_time
        elif self._state.master is not None and generation == self._state.generation:
            return bytes.fromhex(self._state.master)
        elif self._state.next is not None and generation == self._state.generation + 1:
            return bytes.fromhex(self._state.next)
        raise EnvelopeError(f"there is no key of generation {generation}")

    def _open_enrolment(self, message: base.Message) -> None:
        """Accept the answer to the latest ``enrol``, or a refusal; nothing else may come under the one-time key."""
        if isinstance(message, command.Refused):
            return
        if not isinstance(message, command.Enrolled):
            raise EnvelopeError(f"'{message.name}' may not come under the one-time key")
        exchange, one_time = self._exchange, self._one_time
        if exchange is None or one_time is None or message.public_key != exchange.public.hex():
            raise EnvelopeError("an answer to an earlier enrolment")
        peer = bytes.fromhex(message.peer_public_key)
        try:
            master = exchange.agree(
                peer, one_time_key=one_time, guest=exchange.public, control=peer, instance_id=self.instance_id
            )
        except keys.KeyAgreementError as err:
            raise EnvelopeError(str(err)) from None
        if message.generation <= keys.ONE_TIME:
            raise EnvelopeError("an enrolment must give a later generation")
        self._save(generation=message.generation, master=master.hex(), confirmed=False)
        self._exchange = None

    def _seal(self, message: report.Report, master: bytes, generation: int) -> bytes:
        now = int(clock.timestamp() * 1000)
        self._sequence += 1
        header = Header(
            instance_id=self.instance_id,
            direction=keys.TO_CONTROL,
            boot=self._state.boot,
            sequence=self._sequence,
            message_id=ids.new_id(),
            name=message.name,
            version=message.version,
            sent_at=now,
            not_after=now + _REPORT_LIFETIME,
            generation=generation,
        )
        return envelope.seal(header, message.to_wire(), master)

    def control_time(self) -> int | None:
        """Return the control plane's time in milliseconds since the Unix epoch, at least: what was heard last, and how
        long ago that was; ``None`` while this process has heard nothing, or nothing since its machine slept or its
        clock jumped, which is how a machine that was paused from outside notices it."""
        with self._lock:
            if self._reference is None or self._reference.is_doubtful():
                return None
            return self._reference.reckon()

    def _hear(self, header: Header) -> None:
        self._heard = max(self._heard, header.sent_at)
        # What was long on its way says less than what was heard before, and that is a lower bound also when in doubt.
        known = 0 if self._reference is None else self._reference.reckon()
        self._reference = _Reference.now(max(header.sent_at, known))
        if self._heard - self._state.heard_at >= _HEARD_GRAIN:
            self._save(heard_at=self._heard)

    def _save(self, **changes: object) -> None:
        state = msgspec.structs.replace(self._state, **changes)
        self._store.save(state)
        self._state = state

    def __repr__(self) -> str:
        return f"<GuestSession {self.instance_id} {self.phase.value}>"


def rehearse() -> None:
    """Do with constants, and without drawing a random number, what an agent's first messages need, so that the
    libraries have made themselves ready: for a process that becomes agents later."""
    keys.rehearse()
    master = bytes(keys.KEY_BYTES)
    header = Header(
        instance_id="rehearsal", direction=keys.TO_CONTROL, boot=1, sequence=1, message_id="rehearsal", name="hello",
        version=1, sent_at=0, not_after=0, generation=keys.ENROLLED,
    )  # fmt: skip
    sealed = envelope.seal(header, {}, master)
    envelope.open_envelope(sealed, master, instance_id=header.instance_id, direction=header.direction)
