# SPDX-License-Identifier: Apache-2.0
"""The life of an instance, as one table.

The words are the public ``status`` of the API. One stored column holds it and one function moves it
(:meth:`trove.objects.instance.Instance.process_event`), by compare-and-set. What the database process itself is doing
is a different fact, the *service status* that the guest reports; :func:`operating_status` combines the two for a
reader.
"""

import datetime

from trove.domain.fsm import Machine, Transition

#: Being created: network, volume, server, guest and database are on their way.
BUILD = "BUILD"
#: Idle; nothing is in progress.
ACTIVE = "ACTIVE"
#: The database is being restarted at the owner's request.
REBOOT = "REBOOT"
#: Shape or volume are being changed.
RESIZE = "RESIZE"
#: Configuration or access are being changed. Existing clients do not know the word and are told ACTIVE.
UPDATING = "UPDATING"
#: Idle; a configuration change takes effect with the next restart.
RESTART_REQUIRED = "RESTART_REQUIRED"
#: The last creation failed or was undone; the fault says why. Only delete and reset leave it.
ERROR = "ERROR"
#: Being deleted; the resources are on their way out.
SHUTDOWN = "SHUTDOWN"
#: Gone. The row stays for accounting but no API call shows it.
DELETED = "DELETED"

MACHINE = Machine(
    "instance",
    [
        # A creation ends with a running database, or is undone and explained.
        Transition(BUILD, "created", ACTIVE),
        Transition(BUILD, "create_failed", ERROR),
        # An owner may restart an idle instance. Whatever came of it, the instance is idle again: a failed restart
        # leaves a fault, and the operating status tells whether the database runs.
        Transition(ACTIVE, "restart", REBOOT),
        Transition(REBOOT, "restarted", ACTIVE),
        Transition(REBOOT, "restart_failed", ACTIVE),
        # The same holds for a change of shape or volume: a failure is undone and explained by a fault.
        Transition(ACTIVE, "resize", RESIZE),
        Transition(RESIZE, "resized", ACTIVE),
        Transition(RESIZE, "resize_failed", ACTIVE),
        # A volume grows below a running engine, so what waited for a restart still waits.
        Transition(RESIZE, "resized_for_restart", RESTART_REQUIRED),
        Transition(RESIZE, "resize_failed_for_restart", RESTART_REQUIRED),
        # An idle instance may be changed. What the running engine cannot take over waits for a restart, which another
        # shape brings too; a failed change is undone and explained by a fault.
        Transition(ACTIVE, "update", UPDATING),
        Transition(UPDATING, "updated", ACTIVE),
        Transition(UPDATING, "updated_for_restart", RESTART_REQUIRED),
        Transition(UPDATING, "update_failed", ACTIVE),
        Transition(UPDATING, "update_failed_for_restart", RESTART_REQUIRED),
        Transition(RESTART_REQUIRED, "update", UPDATING),
        # Existing clients take UPDATING for idle, so what they ask for then is accepted, and waits until it has ended.
        Transition(UPDATING, "update", UPDATING),
        Transition(UPDATING, "restart", REBOOT),
        Transition(UPDATING, "resize", RESIZE),
        Transition(RESTART_REQUIRED, "restart", REBOOT),
        Transition(RESTART_REQUIRED, "resize", RESIZE),
        # Deletion is accepted at any time; repeating it changes nothing.
        Transition(BUILD, "delete", SHUTDOWN),
        Transition(ACTIVE, "delete", SHUTDOWN),
        Transition(REBOOT, "delete", SHUTDOWN),
        Transition(RESIZE, "delete", SHUTDOWN),
        Transition(UPDATING, "delete", SHUTDOWN),
        Transition(RESTART_REQUIRED, "delete", SHUTDOWN),
        Transition(ERROR, "delete", SHUTDOWN),
        Transition(SHUTDOWN, "delete", SHUTDOWN),
        Transition(SHUTDOWN, "deleted", DELETED),
        # An operator may declare any living instance idle; the next heartbeat says what the database really does.
        Transition(BUILD, "reset", ACTIVE),
        Transition(ACTIVE, "reset", ACTIVE),
        Transition(REBOOT, "reset", ACTIVE),
        Transition(RESIZE, "reset", ACTIVE),
        Transition(UPDATING, "reset", ACTIVE),
        Transition(RESTART_REQUIRED, "reset", ACTIVE),
        Transition(ERROR, "reset", ACTIVE),
        Transition(SHUTDOWN, "reset", ACTIVE),
    ],
)

#: In these a workflow is at work and owns the next transition.
IN_PROGRESS = frozenset({BUILD, REBOOT, RESIZE, UPDATING, SHUTDOWN})
#: From these nothing follows on its own.
STABLE = frozenset({ACTIVE, RESTART_REQUIRED, ERROR, DELETED})

# -- service status: what the guest says of the database process
# ---------------------------------------------------------

#: No guest has reported yet.
SERVICE_NEW = "new"
#: The guest is installing or restoring the database.
SERVICE_BUILDING = "building"
#: The process runs and answers queries.
SERVICE_HEALTHY = "healthy"
#: The process runs but does not answer queries yet (starting, recovering, or out of connections).
SERVICE_BLOCKED = "blocked"
#: The process was stopped on purpose.
SERVICE_SHUTDOWN = "shutdown"
#: The process ended on its own and the guest is trying to bring it back.
SERVICE_CRASHED = "crashed"
#: The guest gave up bringing the process back; the report says why.
SERVICE_FAILED = "failed"
#: A configuration change waits for a restart.
SERVICE_RESTARTING = "restarting"
#: Nothing is known since an operator reset the status.
SERVICE_UNKNOWN = "unknown"

#: Public word for each service status (``operating_status`` of the API).
OPERATING_WORD = {
    SERVICE_NEW: "NEW",
    SERVICE_BUILDING: "BUILD",
    SERVICE_HEALTHY: "HEALTHY",
    SERVICE_BLOCKED: "BLOCKED",
    SERVICE_SHUTDOWN: "SHUTDOWN",
    SERVICE_CRASHED: "SHUTDOWN",
    SERVICE_FAILED: "FAILED",
    SERVICE_RESTARTING: "RESTARTING",
    SERVICE_UNKNOWN: "ERROR",
}

#: What a guest may report; the others are written by the control plane only.
REPORTABLE_SERVICE_STATUSES = frozenset(OPERATING_WORD) - {SERVICE_NEW, SERVICE_UNKNOWN}

#: With one of these the database accepts changes of users, databases and grants.
SERVICE_USABLE = frozenset({SERVICE_HEALTHY})


def operating_status(
    status: str,
    service_status: str,
    reported_at: datetime.datetime | None,
    now: datetime.datetime,
    expiry: float,
) -> str:
    """Return the public ``operating_status``.

    :param reported_at: time of the guest's last heartbeat, ``None`` when there was none: then only the service status
        counts, which is NEW for a moment after a creation.
    :param expiry: seconds after which a silent guest counts as unreachable.
    :returns: empty while something is in progress; ``ERROR`` when the guest has been silent for longer than ``expiry``;
        the public word otherwise.
    """
    if status != ACTIVE:
        return ""
    if is_silent(reported_at, now, expiry):
        return "ERROR"
    return OPERATING_WORD.get(service_status, "ERROR")


def is_silent(reported_at: datetime.datetime | None, now: datetime.datetime, expiry: float) -> bool:
    """Tell whether a guest that has reported before does not any more.

    :param expiry: seconds, see :func:`operating_status`.
    """
    return reported_at is not None and (now - reported_at).total_seconds() > expiry


def service_reason(
    reason: str | None, reported_at: datetime.datetime | None, now: datetime.datetime, expiry: float
) -> str | None:
    """Return why the service status is what it is, in one sentence; ``None`` when there is nothing to say.

    :param reason: what the guest said last; of a silent guest nobody knows whether it still holds.
    """
    if reported_at is None or not is_silent(reported_at, now, expiry):
        return reason
    return (
        f"The agent has not reported since {reported_at:%Y-%m-%dT%H:%M:%S}, so nobody knows what the database does. An "
        "agent that has hung is restarted automatically."
    )


#: Seconds for which a guest counts as slowed after a conductor has last slowed it. That is written down once a minute.
SLOWED_SECONDS = 180


def slowed_reason(slowed_at: datetime.datetime | None, now: datetime.datetime) -> str | None:
    """Return what is to be said of a guest that reports more than it may; ``None`` of any other.

    :param slowed_at: when a conductor has last slowed it.
    """
    if slowed_at is None or (now - slowed_at).total_seconds() > SLOWED_SECONDS:
        return None
    return "The guest reports more than the service takes from one instance; what it reports is taken in late."
