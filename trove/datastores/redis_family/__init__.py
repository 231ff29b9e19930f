# SPDX-License-Identifier: Apache-2.0
"""What Redis and Valkey share. No datastore itself: :mod:`trove.datastores.redis` and :mod:`trove.datastores.valkey`
are, each a :class:`trove.datastores.redis_family.product.Product` and nothing more."""
