# SPDX-License-Identifier: Apache-2.0
"""Every command of the ordinary client against a service with real engines."""
