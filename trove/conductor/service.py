# SPDX-License-Identifier: Apache-2.0
"""The conductor as a part of a process: transports, heartbeat batches, resending, deadlines.

Which transports run follows from the options: the gateway when new guests use it or ``gateway_url`` is set, messaging
when ``transport_url`` is set. Both may run side by side, because a guest keeps the transport it was made with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from oslo_config import cfg

from trove.common import clock, service
from trove.conductor import sealing
from trove.conductor.budgets import Budgets
from trove.conductor.gateway import Gateway
from trove.conductor.heartbeats import HeartbeatBatcher
from trove.conductor.intake import Intake, Throttled
from trove.conductor.outbox import Outbox
from trove.conductor.reports import Reports, Signals
from trove.conductor.slowed import SlowedGuests
from trove.conductor.uploads import Sweeper, Uploads
from trove.db.api import Database
from trove.objectstore.registry import open_store

if TYPE_CHECKING:
    from trove.guestbus.messaging_control import MessagingControl

LOG = logging.getLogger(__name__)

#: Seconds between two looks for commands to be sent again or past their deadline.
_ROUND = 2.0
#: Seconds since the last round that reached the database after which this conductor counts as unable to work.
_READY_WITHIN = 5 * _ROUND
#: Guests that one round sends to.
_PER_ROUND = 500


class GuestBusMisconfigured(Exception):
    """The options of the guest bus contradict each other; the service must not start."""


class Conductor:
    """Everything a conductor runs.

    :param signals: the workflow store.
    :param wake: hint that a workflow has something to do; must not raise.
    :param server: name of this process, different from other conductors.
    :raises GuestBusMisconfigured: when no transport, or the control plane's own broker account, is configured.
    :raises InsecureGateway: see :class:`trove.conductor.gateway.Gateway`.
    :raises StoreRefused: when the options of the object store contradict each other.
    """

    def __init__(
        self, conf: cfg.ConfigOpts, db: Database, signals: Signals, wake: Callable[[str], None], *, server: str
    ) -> None:
        options = conf.guest_bus
        store = open_store(conf)
        self._sweeper = Sweeper(store)
        self._batcher = HeartbeatBatcher(db)
        budgets = Budgets(conf)
        self._slowed = SlowedGuests(conf, db, budgets)
        self.intake = Intake(db, Reports(db, signals), batcher=self._batcher, budgets=budgets, wake=wake)
        self.outbox = Outbox(
            db,
            signals,
            resend_interval=options.command_resend_interval,
            silence=2 * options.agent_heartbeat_expiry,
            wake=wake,
        )
        self._periodic = service.Periodic("guest-commands", _ROUND, self._round)
        self._database_at = clock.monotonic()
        self.gateway: Gateway | None = None
        if options.transport == "gateway" or options.gateway_url:
            slots = max(1, int(options.gateway_threads) // 2)
            uploads = Uploads(conf, db, store, budgets=budgets, slots=slots)
            self.gateway = Gateway(conf, self.intake, self.outbox, uploads, ready=self.ready)
        self.messaging: MessagingControl | None = None
        if options.transport_url:
            self.messaging = self._open_messaging(conf, server)
        elif options.transport == "messaging":
            raise GuestBusMisconfigured("[guest_bus] transport 'messaging' needs a transport_url of its own")

    def _open_messaging(self, conf: cfg.ConfigOpts, server: str) -> MessagingControl:
        # Importing oslo.messaging here keeps it out of processes that only serve the gateway.
        from trove.guestbus import messaging_control

        url = conf.guest_bus.transport_url
        if messaging_control.same_virtual_host(conf, url):
            raise GuestBusMisconfigured(
                "[guest_bus] transport_url names the control plane's own virtual host; guests need one of their own"
            )
        threads = conf.guest_bus.gateway_threads
        return messaging_control.MessagingControl(conf, url, self._take, server=server, threads=threads)

    def start(self) -> None:
        """Start every part, or none.

        :raises OSError: when the gateway's address cannot be bound.
        """
        self._database_at = clock.monotonic()
        try:
            self._batcher.start()
            if self.gateway is not None:
                self.gateway.start()
            if self.messaging is not None:
                self.messaging.start()
            self._periodic.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part, in reverse; bounded, safe to repeat."""
        self._periodic.stop()
        if self.messaging is not None:
            self.messaging.stop()
        if self.gateway is not None:
            self.gateway.stop()
        self._batcher.stop()

    def ready(self) -> bool:
        """Tell whether reports can be taken: the database has answered lately. Asks nobody."""
        return clock.monotonic() - self._database_at < _READY_WITHIN

    def deliver(self, instance_id: str) -> None:
        """A hint: there may be commands for this guest."""
        if self.gateway is not None:
            self.gateway.deliver(instance_id)
        if self.messaging is not None and self.outbox.transport_of(instance_id) == "messaging":
            self._send(instance_id, self.outbox.envelopes_for(instance_id))

    def _take(self, data: bytes) -> None:
        """One envelope from the broker."""
        try:
            received = self.intake.take(data)
        except (sealing.Refused, Throttled):
            return  # noted there; what must not be lost, the guest sends again
        except Exception as err:  # boundary: nothing was written, and the guest will send again
            LOG.error("a report could not be taken: %s", sealing.describe(err))
            return
        replies = received.replies
        if received.poll_wait is not None:
            replies = [*replies, *self.outbox.envelopes_for(received.instance_id, enrolled=received.enrolled)]
        self._send(received.instance_id, replies)
        self.intake.wake(received.wake)

    def _send(self, instance_id: str, envelopes: list[bytes]) -> None:
        from trove.guestbus.messaging_control import CastError

        if self.messaging is None or not envelopes:
            return
        try:
            self.messaging.send(instance_id, envelopes)
        except CastError as err:
            LOG.warning("%d messages to %s were not sent and will be sent again: %s", len(envelopes), instance_id, err)

    def _round(self) -> None:
        if service.attempt("ending commands that are late", self.outbox.expire):
            self._database_at = clock.monotonic()
        service.attempt("sweeping the object store", self._sweeper.look)
        service.attempt("telling of guests that report too much", self._slowed.look)
        if self.messaging is None:
            return  # the gateway's guests come and ask
        for instance_id in self.outbox.due("messaging", _PER_ROUND):
            service.attempt(f"sending to {instance_id}", self._send_due, instance_id)

    def _send_due(self, instance_id: str) -> None:
        self._send(instance_id, self.outbox.envelopes_for(instance_id))
