# SPDX-License-Identifier: Apache-2.0
"""Commands: accept, carry out, tell.

``accept`` runs in the thread that received the command and only journals; ``run_next`` runs in the executor thread, one
command at a time in the order of acceptance. At whichever point the agent dies:

* before the acceptance is journalled, the control plane has heard nothing and sends the command again;
* after it, the next agent runs the command again: handlers are safe to repeat;
* after the result is journalled, the next agent only repeats the report.

A repeated id is answered with what is recorded, never carried out again. An order of a worker that has lost its
workflow carries a lower epoch than one seen before and is refused. So is one that depends on a role and was made in a
lower term of its set than one seen before; one that waits, or was interrupted, when a higher term comes is refused as
well: its roles are not those of now.

A command that was not begun by its deadline never is: its owner has been told something else by then, or does not wait
any more. The deadline is on the control plane's clock; while nobody has said what time it is there, because this agent
has heard nothing since it started or its machine woke up, a command with a deadline waits, and a report that will be
acknowledged is repeated to hear it. What was begun is brought to its end, however late that is.
"""

import contextlib
import logging
import re
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from trove.common import ids, printable, redact
from trove.datastores import spi
from trove.guestagent import journal as journals
from trove.guestagent import persistence
from trove.wire import base, command, report

LOG = logging.getLogger(__name__)

#: Agents that may end while one command is at work, before it is given up as the cause.
MAX_INTERRUPTIONS = 5
#: Bounds of the tail of the engine's log in a failure report.
TAIL_LINES = 40
TAIL_BYTES = 8192
#: Largest result of a command as JSON; no command needs more, and one report must fit into an envelope.
MAX_RESULT_BYTES = report.MAX_RESULT_BYTES
#: What the owner of a command is told that came, or would begin, after its deadline.
_TOO_LATE = "The guest could not begin this in time, so nothing was changed; try again."
STALE_TERM = command.STALE_TERM_SYMBOL
_STALE_TERM = "The roles in the set have changed since this was asked for, so nothing was changed."
_INTERRUPTED_TERM = "The roles in the set have changed since this was begun and interrupted; it was not continued."
_BROKEN = "The guest met an unexpected error; its log has the place."
#: Setting in the journal: when the last command has ended, in milliseconds on the control plane's clock.
ENDED_AT = "command_ended_at"
#: As in :class:`trove.wire.report.CommandResult`.
SYMBOL = r"[a-z0-9_.]{1,128}"


@dataclass(frozen=True)
class OwnCommand:
    """A command that the agent carries out itself, without holding up the engine.

    :ivar reports: returns what to report before its result.
    """

    method: Callable[[Any], Mapping[str, Any] | None]
    reports: Callable[[], Sequence[report.Report]]


@dataclass(frozen=True)
class Hooks:
    """What the dispatcher asks of the rest of the agent, and tells it.

    :ivar inventory: returns what to report of databases and users before a command's result; its argument says whether
        also when nothing has changed.
    :ivar changed: called after reports were journalled, so that a sender may wake up.
    :ivar settings: returns what to remember of a command that was carried out and of its result, journalled together
        with that.
    :ivar control_time: see :meth:`trove.guestbus.session.GuestSession.control_time`.
    """

    inventory: Callable[[bool], Sequence[report.Report]]
    changed: Callable[[], None]
    settings: Callable[[command.Command, Mapping[str, Any]], Mapping[str, Any]] = lambda _order, _result: {}
    control_time: Callable[[], int | None] = lambda: None


class Dispatcher:
    """Takes commands through their life.

    :param engine_lock: held while a command is at work, so that supervision does not start an engine that a command
        just stopped.
    :param own: the agent's own commands by name.
    """

    def __init__(
        self,
        journal: journals.Journal,
        handler: spi.GuestHandler,
        *,
        engine_lock: threading.Lock,
        hooks: Hooks,
        own: Mapping[str, OwnCommand] | None = None,
    ) -> None:
        self._journal = journal
        self._handler = handler
        self._engine_lock = engine_lock
        self._hooks = hooks
        self._unwritten: _Outcome | None = None
        self._own = dict(own or {})
        self._methods = {**handler.commands(), **{name: item.method for name, item in self._own.items()}}
        self._accepting = threading.Lock()

    def known_commands(self) -> dict[str, list[int]]:
        """Return the commands this agent carries out, as ``{name: [versions]}``."""
        known: dict[str, list[int]] = {}
        for name, version in sorted(command.COMMANDS):
            if name in self._methods:
                known.setdefault(name, []).append(version)
        return known

    def accept(self, frame: command.CommandFrame) -> None:
        """Journal a received command, or its refusal, with the report that says so.

        :raises JournalError: nothing has happened then; the command will be sent again.
        """
        with self._accepting:  # two threads may hear the same command
            record = self._journal.find(frame.id)
            if record is not None:
                LOG.info("command %s (%s) came again; it is %s", record.id, record.name, record.state)
                self._journal.add_reports([_report_of(record)])
            else:
                record = self._judge(frame)
                self._journal.record(record, [_report_of(record)])
                LOG.info("command %s (%s): %s", record.id, record.name, record.error_symbol or record.state)
        self._hooks.changed()

    def run_next(self) -> bool:
        """Carry out the oldest unfinished command, or refuse it when it is too late to begin; return whether there was
        one, and the time was known.

        :raises JournalError: the result could not be written. It is kept, and written by the next call: carrying the
            command out again would restart an engine for as long as a disk is full.
        """
        if self._unwritten is None:
            record = self._journal.next_unfinished()
            if record is None:
                return False
            if record.set_id is not None and record.term < self._journal.term(record.set_id):
                self._unwritten = self._stale(record)
            else:
                late = self._is_late(record)
                if late is None:
                    self._ask_the_time(record)
                    return False
                self._unwritten = _expired(record) if late else self._begin(record)
        outcome = self._unwritten
        self._journal.finish(outcome.result, outcome.others, outcome.settings)
        self._unwritten = None
        LOG.info(
            "command %s: %s %s", outcome.result.command_id, outcome.result.state, outcome.result.error_symbol or ""
        )
        self._hooks.changed()
        return True

    def _begin(self, record: journals.CommandRecord) -> "_Outcome":
        if not record.begun:
            self._journal.begin(record.id)
        with contextlib.nullcontext() if record.name in self._own else self._engine_lock:
            outcome = self._carry_out(record)
        if record.begun:  # by an agent that ended, nobody knows how long ago: what follows is no younger for that
            return outcome
        return replace(outcome, settings={**outcome.settings, ENDED_AT: self._hooks.control_time()})

    def _stale(self, record: journals.CommandRecord) -> "_Outcome":
        LOG.warning("command %s (%s): its set has a newer term; it is given up", record.id, record.name)
        if not record.begun:
            return _Outcome(_result(record.id, "FAILED", error_symbol=STALE_TERM, error_message=_STALE_TERM))
        with self._engine_lock:
            return self._failed(record, STALE_TERM, _INTERRUPTED_TERM)

    def _ask_the_time(self, record: journals.CommandRecord) -> None:
        if not self._journal.unacknowledged():  # else an acknowledgement will come anyway
            self._journal.add_reports([_report_of(record)])
            self._hooks.changed()

    def _is_late(self, record: journals.CommandRecord) -> bool | None:
        """Tell whether it is too late to begin a command; ``None`` while the time is not known."""
        if record.begun or record.deadline is None:
            return False
        now = self._hooks.control_time()
        if now is None:
            return None
        return now > self._latest(record.deadline, record.allowance)

    def _latest(self, deadline: int, allowance: int) -> int:
        before: int | None = self._journal.setting(ENDED_AT)
        return max(deadline, (before or 0) + allowance)

    def _perform(self, record: journals.CommandRecord, order: Any) -> Mapping[str, Any] | None:
        method = self._methods[record.name]
        if record.name in self._own:
            return method(order)
        now, seconds = self._hooks.control_time(), None
        if now is not None and record.deadline is not None:
            seconds = (self._latest(record.deadline, record.allowance) - now) / 1000
        return persistence.carry_out(lambda: method(order), self._handler, seconds)

    def _judge(self, frame: command.CommandFrame) -> journals.CommandRecord:
        """Decide what becomes of a new command; pure but for reading the journal."""
        symbol, message = None, None
        if frame.workflow_id is not None and frame.epoch < self._journal.epoch(frame.workflow_id):
            symbol = "guest.stale_epoch"
            message = "A newer worker has taken over this operation; the order of the older one was refused."
        elif frame.set_id is not None and frame.term < self._journal.term(frame.set_id):
            symbol, message = STALE_TERM, _STALE_TERM
        elif (frame.command, frame.command_version) not in command.COMMANDS or frame.command not in self._methods:
            symbol = "guest.unknown_command"
            message = f"This guest does not know the command '{frame.command[:64]}' version {frame.command_version}."
        elif frame.deadline is not None and frame.deadline < (self._hooks.control_time() or 0):
            symbol, message = command.EXPIRED_SYMBOL, _TOO_LATE
        else:
            try:
                base.decode(command.COMMANDS, frame.command, frame.command_version, frame.args)
            except base.MalformedMessage as err:
                symbol, message = "guest.malformed_command", str(err)[:255]
        return journals.CommandRecord(
            id=frame.id,
            name=frame.command,
            version=frame.command_version,
            state="FAILED" if symbol else "ACCEPTED",
            workflow_id=frame.workflow_id,
            epoch=frame.epoch,
            args=None if symbol else frame.args,
            error_symbol=symbol,
            error_message=message,
            deadline=frame.deadline,
            allowance=frame.allowance,
            set_id=frame.set_id,
            term=frame.term,
        )

    def _carry_out(self, record: journals.CommandRecord) -> "_Outcome":
        """Carry ``record`` out and return how it ended; raises nothing."""
        if record.interruptions >= MAX_INTERRUPTIONS:
            return self._failed(
                record,
                "guest.interrupted",
                f"The agent ended {record.interruptions} times while it carried this out; it was given up.",
            )
        LOG.info("command %s (%s): carrying it out", record.id, record.name)
        try:
            order = base.decode(command.COMMANDS, record.name, record.version, record.args)
            answer = _plain(self._perform(record, order))
            result = _result(record.id, "DONE", result=answer)
        except spi.EngineError as err:
            LOG.warning("command %s (%s) failed: %s", record.id, record.name, redact.mask_text(str(err)))
            return self._failed(record, err.symbol, err.message, err.detail)
        except Exception as err:  # boundary: a defect must not end the agent; its text may hold a password
            LOG.error("command %s (%s) broke: %s", record.id, record.name, _frames(err))
            return self._failed(record, "guest.internal_error", _BROKEN, type(err).__name__)
        # The inventory goes first: whoever waits for the result may read the list of databases the moment it arrives.
        return _Outcome(result, self._reports(record.name, True), self._hooks.settings(order, answer or {}))

    def _failed(
        self, record: journals.CommandRecord, symbol: str, message: str, detail: str | None = None
    ) -> "_Outcome":
        try:
            tail = log_tail(self._handler.log_files())
        except Exception as err:  # boundary: a tail is a courtesy; without it the failure must still be told
            LOG.warning("no log tail for command %s (%s)", record.id, type(err).__name__)
            tail = None
        if not re.fullmatch(SYMBOL, symbol):  # the report would be refused at the other end, and the result lost
            LOG.error("the handler's symbol %r is not lower case with dots", symbol)
            symbol = "guest.internal_error"
        message, tail = _for_owner(message), _with_detail(detail, tail)
        result = _result(record.id, "FAILED", error_symbol=symbol, error_message=message, log_tail=tail)
        return _Outcome(result, self._reports(record.name, False))  # what failed may have been done in part

    def _reports(self, name: str, done: bool) -> Sequence[report.Report]:
        own = self._own.get(name)
        return self._hooks.inventory(done) if own is None else own.reports()


@dataclass(frozen=True)
class _Outcome:
    """What is to be journalled of a command that has been carried out."""

    result: report.CommandResult
    others: Sequence[report.Report] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def _expired(record: journals.CommandRecord) -> _Outcome:
    LOG.warning("command %s (%s): its deadline has passed; it is not begun", record.id, record.name)
    return _Outcome(_result(record.id, "FAILED", error_symbol=command.EXPIRED_SYMBOL, error_message=_TOO_LATE))


def log_tail(files: Sequence[Path]) -> str | None:
    """Return the last lines of the newest non-empty file, masked, at most :data:`TAIL_LINES` and :data:`TAIL_BYTES`."""
    for path in reversed(files):
        try:
            with open(path, "rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - TAIL_BYTES))
                block = stream.read(TAIL_BYTES)
        except OSError:
            continue
        lines = block.decode(errors="replace").splitlines()
        if size > TAIL_BYTES:
            del lines[0]  # cut in the middle, and so perhaps in front of the word that would have had its secret masked
        text = "\n".join(redact.mask_text(line) for line in lines[-TAIL_LINES:])
        if text.strip():
            # Masking may lengthen a line, and a broken byte becomes three: bound it once more, from the end.
            return text.encode()[-TAIL_BYTES:].decode(errors="ignore")
    return None


def _for_owner(message: str) -> str:
    """Return a handler's sentence without what is nothing of the owner's: secrets, and where things are on the
    guest."""
    return printable.without_paths(redact.mask_text(message))[:255]


def _with_detail(detail: str | None, tail: str | None) -> str | None:
    """Return what operators read of a failure: what the agent knows beside the message, and the end of the log."""
    known = None if detail is None else redact.mask_text(detail).encode()[: TAIL_BYTES // 4].decode(errors="ignore")
    if known is None or tail is None:
        return known or tail
    return f"{known}\n{tail.encode()[-(TAIL_BYTES - len(known.encode()) - 1) :].decode(errors='ignore')}"


def _report_of(record: journals.CommandRecord) -> report.CommandResult:
    return _result(
        record.id,
        record.state,
        result=record.result,
        error_symbol=record.error_symbol,
        error_message=record.error_message,
    )


def _result(command_id: str, state: Any, **fields: Any) -> report.CommandResult:
    return report.CommandResult(report_id=ids.new_id(), command_id=command_id, state=state, **fields)


def _plain(result: Any) -> dict[str, Any] | None:
    if result is None:
        return None
    plain: dict[str, Any] = msgspec.to_builtins(dict(result))
    if len(msgspec.json.encode(plain)) > MAX_RESULT_BYTES:
        raise ValueError("the result is too large to be told")
    return plain


def _frames(error: BaseException) -> str:
    """Return where ``error`` was raised, without its text or the values around it."""
    frames = traceback.extract_tb(error.__traceback__)
    return "; ".join([*(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames), type(error).__name__])
