# SPDX-License-Identifier: Apache-2.0
"""Memcached as a datastore: :mod:`.plugin` is loaded by the control plane, :mod:`.guest` by the guest agent."""
