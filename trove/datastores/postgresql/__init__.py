# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: see README.rst in this folder for versions, the access model and known limits."""
