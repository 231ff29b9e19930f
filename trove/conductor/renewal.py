# SPDX-License-Identifier: Apache-2.0
"""The next generation of a guest's master key.

::

    begin: "exchange" kept, command sent ──▶ agree: the guest's half is back, "next" kept, "exchange" erased
      ──▶ everything goes to the guest under "next" ──▶ complete: it has spoken under "next", which is "master" now

Each arrow is one transaction on the guest's row, and the guest saves its side before it answers
(:meth:`trove.guestbus.session.GuestSession.renew`), so that from ``begin`` to ``complete`` both sides have one key at
least that the other has. An exchange that was given up is simply begun anew: the guest's answer names the half that it
answers, and one to an earlier half changes nothing. The state stays ENROLLED all the while, because nothing that a
guest says or is told has to wait.
"""

import datetime
import logging

import msgspec
from sqlalchemy.orm import Session

from trove.guestbus import keys
from trove.objects import guest_command, guest_identity
from trove.objects.guest_command import GuestCommand
from trove.objects.guest_identity import GuestIdentity
from trove.wire import command

LOG = logging.getLogger(__name__)


class NotReady(Exception):
    """The guest cannot rotate its keys now; the text says why."""


def begin(session: Session, instance_id: str, now: datetime.datetime, deadline_seconds: float) -> str | None:
    """Ask a guest for its half of an exchange; return the command's id.

    :returns: ``None`` when a generation that was agreed on is still to be used by the guest.
    :raises GuestNotFound: when there is no such guest.
    :raises NotReady: when the guest has no keys of its own, or its agent does not know the command.
    """
    identity = GuestIdentity.get(session, instance_id, for_update=True)
    if identity.state != guest_identity.ENROLLED:
        raise NotReady(f"the guest of {instance_id} has no keys of its own (it is {identity.state})")
    if command.RotateKeys.version not in (identity.commands or {}).get(command.RotateKeys.name, ()):
        raise NotReady(f"the agent of {instance_id} is too old to rotate its keys; upgrade it")
    if "next" in identity.keys:
        return None
    exchange = keys.ExchangeKey()
    identity.keys = {**identity.keys, "exchange": exchange.private.hex()}
    identity.save(session)
    order = command.RotateKeys(public_key=exchange.public.hex(), generation=identity.generation + 1)
    return guest_command.submit(
        session, instance_id=instance_id, command=order, deadline_seconds=deadline_seconds, now=now
    )


def agree(identity: GuestIdentity, done: GuestCommand) -> None:
    """Put the key that ``done`` agrees on into ``identity``; the caller saves it. An answer that does not belong to the
    exchange under way, or that no key can be made of, changes nothing: the old key stays."""
    private = identity.keys.get("exchange")
    if done.state != guest_command.DONE or not private or identity.state != guest_identity.ENROLLED:
        return
    exchange = keys.ExchangeKey.restore(bytes.fromhex(private))
    try:
        answer = msgspec.convert(done.result, command.RotatedKeys)
        if answer.peer_public_key != exchange.public.hex():
            return
        guest = bytes.fromhex(answer.public_key)
        fresh = exchange.agree(
            guest,
            one_time_key=bytes.fromhex(identity.keys["master"]),
            guest=guest,
            control=exchange.public,
            instance_id=identity.instance_id,
            generation=identity.generation + 1,
        )
    except (msgspec.ValidationError, keys.KeyAgreementError):
        LOG.warning("the guest of %s has answered a rotation of its keys with what is no key", identity.instance_id)
        return
    identity.keys = {"master": identity.keys["master"], "next": fresh.hex()}


def complete(identity: GuestIdentity, generation: int, now: datetime.datetime) -> None:
    """Record that the guest has said something under ``generation``: if that is the next one, the one before is erased.
    The caller saves ``identity``."""
    next_one = identity.state == guest_identity.ENROLLED and generation == identity.generation + 1
    if not next_one or "next" not in identity.keys:
        return
    identity.keys = {"master": identity.keys["next"]}
    identity.generation = generation
    identity.keys_changed_at = now
