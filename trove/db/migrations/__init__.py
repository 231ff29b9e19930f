# SPDX-License-Identifier: Apache-2.0
"""Schema migrations, in two branches.

``expand`` only adds: tables, nullable columns, indexes. It runs while services of the previous release are still at
work, and those must not notice. ``contract`` removes what no running release uses any more; it runs after the last
old process has left. A test reads every revision and refuses what does not belong to its branch.

Revisions are named ``<branch>_<number>``, so that a release can tell which branch a revision belongs to that it does
not know. Used through :mod:`trove.db.migration` and ``trove-manage db_sync``.
"""
