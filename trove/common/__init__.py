# SPDX-License-Identifier: Apache-2.0
"""What every other package may use: time, errors, identifiers, contexts, service life-cycle."""
