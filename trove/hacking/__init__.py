# SPDX-License-Identifier: Apache-2.0
"""Review comments turned into checks; development only, imported by nothing else."""
