# SPDX-License-Identifier: Apache-2.0
"""Removals, once no process of the previous release is left."""
