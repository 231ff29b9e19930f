# SPDX-License-Identifier: Apache-2.0
"""Database engines: one folder each, a half for the control plane and a half for the guest."""
