# SPDX-License-Identifier: Apache-2.0
"""Durable workflows: linear flows of steps, kept in SQL, that any worker can carry on after any crash."""
