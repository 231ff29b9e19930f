# SPDX-License-Identifier: Apache-2.0
"""Engines that others bring, in distributions of their own."""
