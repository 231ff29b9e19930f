# SPDX-License-Identifier: Apache-2.0
"""What MariaDB and MySQL share, in both halves; a library, not a datastore.

What differs is :class:`.facts.Family` for the control plane and :class:`.guest.dialect.Dialect` for the guest.
"""
