# SPDX-License-Identifier: Apache-2.0
"""Sealing and opening on the control plane's side: which key of a guest may be used for what.

==============  =====================================  ==================================
state           a guest may speak under                and may say
==============  =====================================  ==================================
ISSUED          generation 0, the one-time key         ``enrol``
EXCHANGING      generation 0: the answer may be lost   ``enrol``
EXCHANGING      generation 1                           ``hello``, which makes it ENROLLED
ENROLLED        the generation of the row, and the     anything but ``enrol``
                next one where it was agreed on
REVOKED         none                                   nothing
==============  =====================================  ==================================

What is said to a guest under generation 1 before it has used that key goes with the answer that gives it the key: only
who holds the one-time key has the other half of the exchange. As soon as a next generation is agreed on, everything is
said to the guest under that: hearing it tells the guest that the control plane has the key, and the guest's first
report under it erases the one before (:func:`trove.conductor.renewal.complete`).
"""

import datetime
import logging
import threading
import traceback

from trove.common import clock, ids
from trove.domain.token_bucket import TokenBucket
from trove.guestbus import envelope, keys
from trove.guestbus.envelope import Header
from trove.objects import guest_identity
from trove.objects.guest_identity import GuestIdentity, KeyRow
from trove.wire import base, report

LOG = logging.getLogger(__name__)

#: How long an answer means anything. Guests judge it by the control plane's own times, which may differ by this much.
REPLY_LIFETIME = datetime.timedelta(minutes=10)


#: Names of the keys that are in use in a state, by generation.
_BEFORE_ENROLLED = {
    guest_identity.ISSUED: {keys.ONE_TIME: "one_time"},
    guest_identity.EXCHANGING: {keys.ONE_TIME: "one_time", keys.ENROLLED: "master"},
}


class Refused(Exception):
    """A message that has no effect and gets no answer. The text is for one line of the log and holds no content."""


class RefusalLog:
    """One line for each refused message, as long as there are few: anybody can send what does not open. Thread-safe."""

    _RATE, _AT_ONCE = 5.0, 50.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bucket = TokenBucket.full(self._RATE, self._AT_ONCE, clock.monotonic())
        self._left_out = 0

    def note(self, claimed: str, reason: str) -> None:
        """Log that a message in the name of ``claimed`` is refused."""
        with self._lock:
            if self._bucket.take(1, clock.monotonic()):
                self._left_out += 1
                return
            left_out, self._left_out = self._left_out, 0
        if left_out:
            LOG.warning("refused %d more messages, which are not listed", left_out)
        LOG.warning("refused a message in the name of %s: %s", claimed, reason)


def key_for(identity: GuestIdentity | KeyRow, generation: int) -> bytes:
    """Return the master key of ``generation``.

    :raises Refused: when that key is not in use in the identity's state.
    """
    in_use = _BEFORE_ENROLLED.get(identity.state, {})
    if identity.state == guest_identity.ENROLLED:
        in_use = {identity.generation: "master", identity.generation + 1: "next"}
    text = identity.keys.get(in_use.get(generation, ""))
    if not text:
        raise Refused(f"generation {generation} is not in use")
    return bytes.fromhex(text)


def current(identity: GuestIdentity | KeyRow) -> int:
    """Return the generation to seal under what is said to a guest that has or is being given its own keys."""
    if identity.state != guest_identity.ENROLLED:
        return keys.ENROLLED
    return int(identity.generation) + ("next" in identity.keys)


def check_allowed(identity: GuestIdentity | KeyRow, header: Header) -> None:
    """Check that an authenticated message may be said in the identity's state under its key.

    :raises Refused: when not.
    """
    enrols = header.name == report.Enrol.name
    if enrols != (header.generation == keys.ONE_TIME):
        raise Refused(f"'{header.name}' may not be said under generation {header.generation}")
    if identity.state == guest_identity.EXCHANGING and not enrols and header.name != report.Hello.name:
        raise Refused(f"'{header.name}' before the first hello")


def seal(
    identity: GuestIdentity | KeyRow,
    message: base.Message,
    now: datetime.datetime,
    *,
    generation: int,
    not_after: datetime.datetime | None = None,
    sequence: int = 0,
) -> bytes:
    """Seal ``message`` for the identity's guest.

    :param now: the database's clock, so that all conductors put times on one scale.
    :raises Refused: when the key is not in use any more.
    :raises EnvelopeError: when the message is too large.
    """
    header = Header(
        instance_id=identity.instance_id,
        direction=keys.TO_GUEST,
        boot=0,
        sequence=sequence,
        message_id=ids.new_id(),
        name=message.name,
        version=message.version,
        sent_at=milliseconds(now),
        not_after=milliseconds(not_after or now + REPLY_LIFETIME),
        generation=generation,
    )
    return envelope.seal(header, message.to_wire(), key_for(identity, generation))


def milliseconds(moment: datetime.datetime) -> int:
    """Return milliseconds since the Unix epoch of a naive UTC time."""
    return int(moment.replace(tzinfo=datetime.UTC).timestamp() * 1000)


def describe(err: BaseException) -> str:
    """Say what failed and where, for the log, without the exception's text: a database error quotes the values it was
    given."""
    frames = traceback.extract_tb(err.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames)]
    return f"{type(err).__name__} at {' < '.join(places)}"
