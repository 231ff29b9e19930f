# SPDX-License-Identifier: Apache-2.0
"""Names on the guests' virtual host, and what the account of one guest may do there."""

import re
from typing import NamedTuple

#: Exchange that all of it goes through.
EXCHANGE = "trove-guests"
#: Topic that conductors read.
REPORTS = "trove-guest-reports"
#: Name of the one cast there is, and of its one argument.
METHOD = "carry"
ARGUMENT = "envelope"
#: Name of an agent's listener, part of its queues' names.
LISTENER = "agent"


def guest_topic(instance_id: str) -> str:
    """Return the topic that one guest reads."""
    return f"guest.{instance_id}"


class Permissions(NamedTuple):
    """Rights of a RabbitMQ account in the guests' virtual host, as regular expressions on names.

    :ivar topics: topic permissions, ``(exchange, write, read)`` on routing keys.
    """

    configure: str
    write: str
    read: str
    topics: tuple[tuple[str, str, str], ...]


def permissions(instance_id: str) -> Permissions:
    """Return what the account of one guest needs, and nothing that reaches another guest.

    Its own queues and its own fan-out exchange, which oslo.messaging declares for every listener; the common exchange,
    where the topic permissions decide what it may send and listen to. The default exchange, which reaches every queue,
    is not among them.
    """
    topic = guest_topic(instance_id)
    mine = re.escape(topic)
    names = rf"^({mine}(\.{LISTENER})?|{mine}_fanout(_[0-9a-f]+)?|{EXCHANGE})$"
    keys = rf"^{mine}(\.{LISTENER})?$"
    return Permissions(names, names, names, ((EXCHANGE, f"^{REPORTS}$", keys),))
