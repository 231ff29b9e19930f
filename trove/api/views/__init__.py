# SPDX-License-Identifier: Apache-2.0
"""Views: pure functions from rows to the documents clients know."""
