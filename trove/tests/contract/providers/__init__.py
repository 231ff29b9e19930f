# SPDX-License-Identifier: Apache-2.0
"""What every provider must do, run against each of them.

A third party derives from :class:`trove.tests.contract.providers.suite.ProviderContract` and runs the same tests.
"""
