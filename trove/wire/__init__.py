# SPDX-License-Identifier: Apache-2.0
"""What guests and the control plane say to each other: commands, reports, the bootstrap document. No database here."""
