# SPDX-License-Identifier: Apache-2.0
"""The guest half of Valkey."""

from trove.datastores import spi
from trove.datastores.redis_family.guest.handler import FamilyHandler
from trove.datastores.valkey.product import VALKEY


def make_handler(environment: spi.GuestEnvironment) -> FamilyHandler:
    """Entry point of the group ``trove.datastores.guest``."""
    return FamilyHandler(environment, VALKEY)
