# SPDX-License-Identifier: Apache-2.0
"""The datastore Valkey; see README.rst beside this file."""
