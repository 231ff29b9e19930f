# SPDX-License-Identifier: Apache-2.0
"""The taskmanager: runs workflows. It answers one hint, ``wake``, and nothing else."""
