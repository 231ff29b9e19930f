# SPDX-License-Identifier: Apache-2.0
"""The conductor: the only process that holds guests' keys and talks on the guest bus.

Reports come in through :mod:`~trove.conductor.intake`, commands go out through :mod:`~trove.conductor.outbox`; the
gateway server and the messaging listener only carry bytes between those two and the guests.
"""
