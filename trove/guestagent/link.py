# SPDX-License-Identifier: Apache-2.0
"""The conversation with the control plane: enrol, greet, then exchange reports for commands.

The other side takes nothing of a boot before its ``hello`` (:mod:`trove.guestbus.replay`), so everything else waits for
:attr:`Link.ready`. A refusal under the real keys means that the two sides disagree about what was said; a new boot and
    a new hello mend that.
"""

import logging
import threading
from collections.abc import Callable

from trove.common import clock
from trove.guestagent.journal import JournalError, JournalRefused
from trove.guestbus.envelope import EnvelopeError
from trove.guestbus.session import GuestSession, NotEnrolled, Phase
from trove.guestbus.transport import GuestTransport, PeerRefused, TransportError
from trove.wire import base, command, report

LOG = logging.getLogger(__name__)

#: Seconds to wait for the answer to an enrolment or hello on a transport that does not answer in the same exchange.
ANSWER_WAIT = 5.0
#: Hellos without an answer before a new key is taken for one that the control plane never got, and the enrolment starts
#: over.
UNANSWERED_HELLOS = 3


class NoAnswer(TransportError):
    """The exchange went well but what it was for did not come."""


class Link:
    """One guest's conversation; safe to use from several threads, but only one may call :meth:`establish`, and one
    :meth:`listen`.

    Commands are carried out in the order in which they are taken, and some need those before them. On a transport that
    answers at once, an answer holds all that have not been accepted, in order, so it does not matter who takes it. On
    one that answers later they come one by one, and only the listening thread takes them: a second one could be held up
    with a command in its hand, and the next be taken first.

    :param hello: makes a fresh hello.
    :param on_command: takes a command; a :class:`JournalError` of it drops the command, which will come again.
    :param on_acknowledge: takes the ids of acknowledged reports.
    :param on_enrolled: called once the control plane has used the new key.
    :param let_work: called before the hello that follows an enrolment which has brought commands; may wait a moment.
    """

    def __init__(
        self,
        session: GuestSession,
        transport: GuestTransport,
        *,
        hello: Callable[[], report.Hello],
        on_command: Callable[[command.CommandFrame], None],
        on_acknowledge: Callable[[list[str]], None],
        on_enrolled: Callable[[], None],
        let_work: Callable[[], None] = lambda: None,
    ) -> None:
        self._session = session
        self._transport = transport
        self._hello = hello
        self._on_command = on_command
        self._on_acknowledge = on_acknowledge
        self._on_enrolled = on_enrolled
        self._let_work = let_work
        self._lock = threading.Lock()
        self._took = threading.Event()
        self._closed = False
        self._hello_id: str | None = None
        self._unanswered = 0
        self._enrol_again = False
        #: Set while the control plane has acknowledged a hello of the current boot.
        self.ready = threading.Event()

    def establish(self) -> None:
        """Do what is missing until :attr:`ready` is set: enrol, then say hello.

        :raises TransportError: try again after a while.
        :raises NotEnrolled: there is neither a key nor a one-time key; only an operator can help.
        :raises OSError: keys could not be saved.
        """
        if self._session.phase is Phase.ENROL or self._enrol_again:
            self._enrol()
        hello = self._hello()
        with self._lock:
            self._hello_id = hello.report_id
        boot = self._session.boot
        try:
            self._exchange(self._session.seal_report(hello), 0.0)
        except PeerRefused:
            self._mend(boot)
            raise
        self._await(self.ready.is_set)
        if not self.ready.is_set():
            self._unanswered += 1
            if self._session.phase is Phase.CONFIRM and self._unanswered >= UNANSWERED_HELLOS:
                self._enrol_again = True
            raise NoAnswer("the hello was not acknowledged")
        self._unanswered = 0

    def send(self, message: report.Report) -> None:
        """Send a report and take what comes back.

        :raises TransportError: it may not have arrived.
        :raises EnvelopeError: it is too large to be sent, ever.
        """
        self._conversation(message, 0.0)

    def listen(self, poll: report.Poll | None, wait: float) -> bool:
        """Wait up to ``wait`` seconds for commands and take them; return whether anything came.

        :param poll: asks for them, where the transport needs that.
        :raises TransportError: try again after a while.
        """
        if poll is not None:
            return self._conversation(poll, wait)
        return self._exchange(None, wait)

    def close(self) -> None:
        """Let go whoever waits for something here; it is for the end."""
        self._closed = True
        self.ready.set()
        self._took.set()

    @property
    def needs_poll(self) -> bool:
        """Whether commands come only as answers to polls, and so only after a hello."""
        return self._transport.needs_poll

    @property
    def poll_after(self) -> float:
        """Seconds the control plane asked to wait before the next poll."""
        return self._transport.poll_after

    @property
    def heartbeat_taken(self) -> bool:
        """Whether the control plane took the heartbeat in the last poll."""
        return self._transport.heartbeat_taken

    def _enrol(self) -> None:
        try:
            hello = self._hello()
            sealed = self._session.seal_enrol(hello.agent_version, hello.handler_version, hello.commands)
        except NotEnrolled:
            if self._session.phase is Phase.ENROL:
                raise
            self._enrol_again = False  # confirmed meanwhile, by another thread
            return
        self._enrol_again, before = False, self._session.phase
        self._exchange(sealed, 0.0)
        self._await(lambda: self._session.phase is not Phase.ENROL)
        if self._session.phase is Phase.ENROLLED:  # by a command: nothing else comes under the new key before a hello
            self._let_work()
        self._unanswered = 0
        if self._session.phase is Phase.ENROL:
            raise NoAnswer("the enrolment was not answered")
        LOG.info("enrolment: %s to %s", before.value, self._session.phase.value)

    def _await(self, come: Callable[[], bool]) -> None:
        """Wait until the listening thread has taken what ``come`` looks for, where it did not come with the answer."""
        until = clock.monotonic() + ANSWER_WAIT
        while not self._transport.needs_poll and not self._closed:
            self._took.clear()
            left = until - clock.monotonic()
            if come() or left <= 0:
                return
            clock.wait(self._took, left)

    def _conversation(self, message: report.Report, wait: float) -> bool:
        boot = self._session.boot
        try:
            return self._exchange(self._session.seal_report(message), wait)
        except PeerRefused:
            self._mend(boot)
            raise

    def _mend(self, boot: int) -> None:
        """After a refusal of what was sealed in ``boot``: prepare another hello, or another enrolment."""
        with self._lock:
            if self._session.boot != boot:
                return  # another thread was refused at the same time and has begun a new boot
            self.ready.clear()
            self._hello_id = None
            if self._session.phase is Phase.CONFIRM:
                self._enrol_again = True
            self._session.new_boot()
        LOG.warning("the control plane refused an envelope; saying hello again in boot %d", self._session.boot)

    def _exchange(self, envelope: bytes | None, wait: float) -> bool:
        answers = self._transport.exchange(envelope, wait)
        enrolled, dropped = False, False
        for answer in answers:
            before = self._session.phase
            try:
                message = self._session.open_from_control(answer)
            except EnvelopeError as err:
                LOG.warning("dropped an envelope: %s", err)
                continue
            if before is Phase.CONFIRM and self._session.phase is Phase.ENROLLED:
                LOG.info("enrolled")
                enrolled = True
            if isinstance(message, command.CommandFrame):
                dropped = dropped or not self._take_command(message)  # what follows a lost one comes again with it
            else:
                self._take(message)
        self._took.set()
        if enrolled:  # last, because it writes a file: what came along need not wait for that
            self._on_enrolled()
        return bool(answers)

    def _take_command(self, frame: command.CommandFrame) -> bool:
        try:
            self._on_command(frame)
        except JournalRefused:
            raise
        except JournalError as err:
            LOG.error("command %s is dropped, the journal cannot be written: %s", frame.id, err)
            return False
        return True

    def _take(self, message: base.Message) -> None:
        if isinstance(message, command.Acknowledge):
            with self._lock:
                if self._hello_id in message.report_ids:
                    self.ready.set()
            self._on_acknowledge(message.report_ids)
        elif isinstance(message, command.Refused):
            LOG.error("the control plane refuses: %s: %s", message.symbol, message.remedy)
            if message.report_id is not None:  # it will never be understood there; sending it again would help nobody
                self._on_acknowledge([message.report_id])
