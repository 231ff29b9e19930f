# SPDX-License-Identifier: Apache-2.0
"""The agent that runs beside one database engine.

It takes commands from the control plane, carries them out through a datastore's
:class:`~trove.datastores.spi.GuestHandler`, and reports. It guarantees: a command is journalled before it is begun and
its result before it is told; a report is repeated until it is acknowledged; the engine outlives the agent. It imports
nothing of the control plane and stays small: its memory is published.
"""
