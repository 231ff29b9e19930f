# SPDX-License-Identifier: Apache-2.0
"""One contract for every object store."""
