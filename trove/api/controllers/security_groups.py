# SPDX-License-Identifier: Apache-2.0
"""Security groups, which old clients ask for. Who may connect is part of an instance here, so there are none."""

from trove.api.request import ApiRequest, Reply
from trove.common import exception


class SecurityGroupNotFound(exception.NotFound):
    symbol = "security_group.not_found"

    def __init__(self, group_id: str) -> None:
        super().__init__(f"Security group {group_id[:255]} was not found.")


def index(req: ApiRequest) -> Reply:
    """List nothing."""
    return Reply({"security_groups": []})


def show(req: ApiRequest) -> Reply:
    """Find no security group."""
    raise SecurityGroupNotFound(req.path["group_id"])
