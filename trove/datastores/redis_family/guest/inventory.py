# SPDX-License-Identifier: Apache-2.0
"""List the users the owner has, from the server's own access list. There are no databases."""

from trove.datastores import spi
from trove.datastores.redis_family import acl, facts
from trove.datastores.redis_family.guest import resp
from trove.wire import report


def read(connection: resp.Connection) -> spi.InventorySnapshot:
    """Return everything the owner has.

    :raises ReplyError, Unreachable: when the server cannot be asked.
    """
    known = acl.parse(connection.call("ACL", "LIST"))
    root = known.get(facts.ROOT)
    return spi.InventorySnapshot(
        users=tuple(
            report.InventoryUser(name=name, databases=[])
            for name in sorted(known)
            if not facts.is_reserved_user(name) and facts.name_problem(name) is None
        ),
        root_enabled=root is not None and root.enabled,
    )
