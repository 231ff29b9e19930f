# SPDX-License-Identifier: Apache-2.0
"""Databases as a service on one host: API, taskmanager and conductor in one process, guests as local processes."""
