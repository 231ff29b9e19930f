# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of the API and of the guests' gateway: Tornado with limits that a hostile client cannot stretch.

One thread reads and writes all connections; an application answers there, without blocking, or in threads of its own.
Why it is as it is: ``doc/source/contributor/design/http-server.rst``.
"""
