# SPDX-License-Identifier: Apache-2.0
"""Console scripts: one thin module each, which chooses native threads before it imports anything else."""
