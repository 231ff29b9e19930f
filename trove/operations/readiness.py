# SPDX-License-Identifier: Apache-2.0
"""Whether the database of an instance can take a change now."""

from oslo_config import cfg

from trove.domain import instance_states
from trove.objects.instance_listing import InstanceRow

#: A database that waits for a restart, to take a parameter over, answers as well as any other; so does one whose
#: configuration or access is being changed, which existing clients are told is ACTIVE.
_ANSWERING = frozenset({instance_states.RESTART_REQUIRED, instance_states.UPDATING})
#: Only with these is the database idle and answers.
_USABLE = frozenset(instance_states.OPERATING_WORD[status] for status in instance_states.SERVICE_USABLE)


def operating_status(conf: cfg.ConfigOpts, row: InstanceRow) -> str:
    """Return the public operating status that an instance had when it was read, taken for idle as long as its database
    answers."""
    expiry = conf.guest_bus.agent_heartbeat_expiry
    idle = instance_states.ACTIVE if row.status in _ANSWERING else row.status
    return instance_states.operating_status(idle, row.service_status, row.reported_at, row.read_at, expiry)


def is_usable(conf: cfg.ConfigOpts, row: InstanceRow) -> bool:
    """Tell whether an instance was idle and its database answered when it was read."""
    return operating_status(conf, row) in _USABLE
