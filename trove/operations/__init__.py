# SPDX-License-Identifier: Apache-2.0
"""What may be done to instances, and what belongs to it, whoever asks: a request, a workflow, an operator's command.

Accepting, queueing, superseding, cancelling and abandoning live here, with the quota and the notifications that go
with them. Everything works inside the transaction of a :class:`trove.operations.work.Work`, on behalf of a
:class:`trove.operations.caller.Caller`; nothing here knows of HTTP.
"""
