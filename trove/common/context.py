# SPDX-License-Identifier: Apache-2.0
"""Who asks, and under which request id."""

from typing import Any

from oslo_context import context


class RequestContext(context.RequestContext):
    """The identity behind one request.

    ``project_id`` is the caller's own project; what may be seen of other projects is decided by policy, never by a
    path. Tokens and catalogues stay in the API process: nothing here is ever sent to a guest or stored in a workflow.
    """

    def __init__(self, *args: Any, client_address: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Where the request came from, for notifications.
        self.client_address = client_address
        if self.is_admin is None or "is_admin" not in kwargs:
            self.is_admin = "admin" in [role.lower() for role in self.roles]
