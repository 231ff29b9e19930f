# SPDX-License-Identifier: Apache-2.0
"""The end of a guest's keys, by an operator who does not trust its machine any more.

The row is what counts: whatever a conductor remembers of the guest may still let a message pass its first look, for as
long as it is remembered (:data:`trove.conductor.identities.LIFETIME`), and then has no effect and gets no answer. A
poll that is held gets nothing, and ends when its time is over.
"""

import datetime

from sqlalchemy.orm import Session

from trove.conductor import reports
from trove.objects import guest_command, guest_log
from trove.objects.guest_identity import GuestIdentity

#: Symbol of a command whose guest will never say what has become of it.
REVOKED_SYMBOL = "guest.revoked"
_SENT = "The guest's keys were revoked before it said what has become of this; it may have been done."
_NOT_SENT = "The guest's keys were revoked, so nothing was changed."


def revoke(session: Session, signals: reports.Signals, instance_id: str, now: datetime.datetime) -> list[str]:
    """Erase a guest's keys, and tell who waits for it that no answer will come; return the workflows to wake.

    What was never sent is EXPIRED. What was sent is FAILED, as nobody will ever know more.

    :raises GuestNotFound: when there is no such guest.
    """
    GuestIdentity.get(session, instance_id, for_update=True).revoke(session)
    guest_log.close_all(session, instance_id)  # a ticket needs no key
    wake: list[str] = []
    for command_id in guest_command.unsettled(session, instance_id):
        if guest_command.withdraw(session, command_id, now):
            wake += reports.signal_command(session, signals, guest_command.get(session, command_id), _NOT_SENT)
            continue
        answer = guest_command.Answer(guest_command.FAILED, None, REVOKED_SYMBOL, _SENT)
        ended = guest_command.record_result(session, instance_id, command_id, answer, now)
        if ended is not None:
            wake += reports.signal_command(session, signals, ended, _SENT)
    return wake
