# SPDX-License-Identifier: Apache-2.0
"""Instances as processes of this host: see :mod:`trove.providers.local.provider`."""
