# SPDX-License-Identifier: Apache-2.0
"""The guest half of Redis and Valkey."""
