# SPDX-License-Identifier: Apache-2.0
"""The control plane's half of the key exchange."""

import datetime

from trove.conductor.sealing import Refused
from trove.guestbus import keys
from trove.objects import guest_identity
from trove.objects.guest_identity import GuestIdentity
from trove.wire import base, command, report, stated

#: Symbol of a refusal because of the protocol's version.
PROTOCOL_SYMBOL = "guest.protocol"


def accept(identity: GuestIdentity, message: report.Enrol) -> command.Enrolled | command.Refused:
    """Agree on a new master key with the guest and put it into ``identity``; the caller saves it.

    The one-time key stays, because the answer may be lost: until the guest has used the new key it may enrol again, and
    the latest enrolment wins.

    :raises Refused: for a public key that no exchange can be made with.
    """
    if not stated.speaks(message.protocol_min, message.protocol_max):
        return protocol_refusal()
    one_time = bytes.fromhex(identity.keys["one_time"])
    guest = bytes.fromhex(message.public_key)
    exchange = keys.ExchangeKey()
    try:
        master = exchange.agree(
            guest, one_time_key=one_time, guest=guest, control=exchange.public, instance_id=identity.instance_id
        )
    except keys.KeyAgreementError as err:
        raise Refused(str(err)) from None
    identity.keys = {"one_time": one_time.hex(), "master": master.hex()}
    identity.state = guest_identity.EXCHANGING
    return command.Enrolled(
        public_key=message.public_key, peer_public_key=exchange.public.hex(), generation=keys.ENROLLED
    )


def complete(identity: GuestIdentity, now: datetime.datetime) -> None:
    """Record that the guest has used its new key: the one-time key is erased, and no enrolment is accepted any more."""
    if identity.state == guest_identity.EXCHANGING:
        identity.keys = {"master": identity.keys["master"]}
        identity.state = guest_identity.ENROLLED
        identity.generation = keys.ENROLLED
        identity.enrolled_at = now


def protocol_refusal() -> command.Refused:
    """What a guest is told whose protocol is not spoken here."""
    return command.Refused(
        symbol=PROTOCOL_SYMBOL,
        remedy=f"The control plane speaks protocol {base.PROTOCOL_MIN} to {base.PROTOCOL_MAX}; upgrade the agent.",
    )
