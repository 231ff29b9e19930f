# SPDX-License-Identifier: Apache-2.0
"""The datastore Redis; see README.rst beside this file."""
