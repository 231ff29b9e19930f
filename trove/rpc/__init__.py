# SPDX-License-Identifier: Apache-2.0
"""The control bus: hints between the API, taskmanagers and conductors. Losing or doubling one changes nothing."""
