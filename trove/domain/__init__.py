# SPDX-License-Identifier: Apache-2.0
"""Pure decisions: no I/O, no database, no OpenStack library, fully typed."""
