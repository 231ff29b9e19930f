# SPDX-License-Identifier: Apache-2.0
"""Who asks for an operation."""

from dataclasses import dataclass

from trove.objects.scope import Scope


@dataclass(frozen=True)
class Caller:
    """Who asks, and why.

    :ivar program: what speaks for it: ``api``, ``taskmanager`` or ``manage``; with the host, it is the publisher of
        notifications.
    :ivar why: what makes it act, for the log: a handler, a workflow, a command.
    :ivar scope: whose rows it may see.
    :ivar user_id: who is behind it; ``None``: the service itself, or an operator on its host.
    :ivar project_id: that user's project.
    :ivar request_id: of the request that began all this.
    :ivar client_address: where that request came from.
    """

    program: str
    why: str
    scope: Scope
    user_id: str | None = None
    project_id: str | None = None
    request_id: str | None = None
    client_address: str | None = None
