# SPDX-License-Identifier: Apache-2.0
"""Steps: each adopts or creates by tag, undoes by tag, and decides nothing that it can be told."""
