# SPDX-License-Identifier: Apache-2.0
"""Schema and objects on SQLite, MariaDB/MySQL and PostgreSQL."""
