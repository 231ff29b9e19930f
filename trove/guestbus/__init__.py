# SPDX-License-Identifier: Apache-2.0
"""The guest bus: sealed envelopes between one guest and the control plane, and what carries them.

A guest is taken to be hostile: its tenant may have become root on it. It must be able to hurt only its own instance.
Hence identity comes from the key that opens an envelope and from nothing else, and whatever does not open is refused.

Both halves: ``envelope``, ``keys``, ``replay``. Guest half: ``session``, ``key_store``, ``transport``,
``gateway_client``, ``messaging_guest``. Control half: ``messaging_control``; the gateway server lives with the
conductor.
"""
