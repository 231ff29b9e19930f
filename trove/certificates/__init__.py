# SPDX-License-Identifier: Apache-2.0
"""Certificates that the control plane issues itself: for its gateway now, for engines and replication later."""
