# SPDX-License-Identifier: Apache-2.0
"""Additions, safe while the previous release runs."""
