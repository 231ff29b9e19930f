# SPDX-License-Identifier: Apache-2.0
"""Rolling upgrades: the previous release and this one side by side."""
