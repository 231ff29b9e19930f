# SPDX-License-Identifier: Apache-2.0
"""What carries envelopes for a guest.

A transport moves bytes and believes nothing: sealing, opening and repeating are the business of
:class:`trove.guestbus.session.GuestSession` and of the agent's journal. Any message may be lost, doubled or overtaken.
"""

from typing import Protocol


class TransportError(Exception):
    """Nothing came back. Whether the envelope arrived is unknown: seal the report anew and send it again.

    :ivar retry_after: seconds the peer asked to wait, ``None`` when it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PeerRefused(TransportError):
    """The control plane refused this envelope and will refuse it again; it never says why.

    Under real keys, begin a new boot and say hello; while enrolling, try a new enrolment.
    """


class GuestTransport(Protocol):
    """The guest's end of a transport; safe to use from several threads."""

    #: Whether commands come only as the answer to a sealed :class:`trove.wire.report.Poll`; otherwise ``exchange(None,
    #: wait)`` listens for them, and for every answer; one thread may do that, which keeps their order.
    needs_poll: bool
    #: Seconds the peer asked to wait before the next poll; 0 when it did not ask.
    poll_after: float
    #: Whether the peer took the heartbeat in the last poll.
    heartbeat_taken: bool

    def exchange(self, envelope: bytes | None, wait: float) -> list[bytes]:
        """Send one envelope and return what has come for this guest, oldest first.

        :param envelope: what to send; ``None`` only listens, where :attr:`needs_poll` is false.
        :param wait: seconds to wait for something to come; 0 answers at once.
        :raises TransportError: see there; :class:`PeerRefused` when waiting cannot help.
        """

    def close(self) -> None:
        """Release everything and make an exchange that waits in another thread end soon. Safe to repeat."""
