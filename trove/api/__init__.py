# SPDX-License-Identifier: Apache-2.0
"""The REST API.

One table (:mod:`trove.api.routes`) is the whole URL space; one pipeline (:mod:`trove.api.dispatch`) takes every
request through the same steps in the same order; handlers in ``controllers`` are plain functions that decide, and
views are pure functions that render.
"""
