# SPDX-License-Identifier: Apache-2.0
"""Where things are kept that outlive an instance's volume: published logs, and whatever else is streamed out.

One interface (:mod:`~trove.objectstore.base`), two drivers: ``filesystem`` for one host, ``swift`` for a cloud. Both
pass one contract suite. Content is streamed in pieces and never held in memory as a whole; guests have no access to a
store.
"""
