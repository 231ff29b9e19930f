# SPDX-License-Identifier: Apache-2.0
"""The outside world: servers, ports and volumes, each found by its tag."""
