# SPDX-License-Identifier: Apache-2.0
"""Trove: databases as a service, in a cloud or on one host."""
