# SPDX-License-Identifier: Apache-2.0
"""The guest half of PostgreSQL: runs beside the server, never loaded by the control plane."""

from trove.common import imports

with imports.without("ssl", "_ssl"):
    # psycopg2 loads ssl only to tell libpq that OpenSSL is set up already, which means nothing since OpenSSL 1.1. It
    # would cost the guest one more copy of OpenSSL in memory.
    import psycopg2  # noqa: F401
