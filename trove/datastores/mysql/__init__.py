# SPDX-License-Identifier: Apache-2.0
"""MySQL. What it shares with its sister is in :mod:`trove.datastores.mysql_family`; see README.rst."""
