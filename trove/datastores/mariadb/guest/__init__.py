# SPDX-License-Identifier: Apache-2.0
"""The guest half of MariaDB: runs beside the server, never loaded by the control plane."""
