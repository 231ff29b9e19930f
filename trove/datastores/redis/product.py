# SPDX-License-Identifier: Apache-2.0
"""Redis, as data."""

from trove.datastores.redis_family.product import Product

#: Users and roles are written with subcommands, which the access lists have since Redis 7.0.
REDIS = Product(
    name="redis",
    title="Redis",
    program="redis-server",
    check_program="redis-check-aof",
    versions=("8", "7"),
)
