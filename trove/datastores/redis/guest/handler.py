# SPDX-License-Identifier: Apache-2.0
"""The guest half of Redis."""

from trove.datastores import spi
from trove.datastores.redis.product import REDIS
from trove.datastores.redis_family.guest.handler import FamilyHandler


def make_handler(environment: spi.GuestEnvironment) -> FamilyHandler:
    """Entry point of the group ``trove.datastores.guest``."""
    return FamilyHandler(environment, REDIS)
