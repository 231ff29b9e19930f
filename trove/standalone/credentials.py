# SPDX-License-Identifier: Apache-2.0
"""The one account of a standalone service, as the API checks it and as clients find it.

With Keystone, accounts are Keystone's: then there is neither a users file nor a ``clouds.yaml``.
"""

import yaml

from trove.api import authn
from trove.standalone.layout import Layout, Settings, write_private

CLOUD = "trove-standalone"
USER = "trove"
ROLES = ["admin", "manager", "member", "reader"]


def write(layout: Layout, settings: Settings, endpoint: str, strategy: str = "http_basic") -> None:
    """Write the API's users file and the clients' ``clouds.yaml``, both with mode 0600, and where the API is.

    :param endpoint: URL of the API without version or project, for example ``http://127.0.0.1:8779``.
    :param strategy: option ``auth_strategy``.
    """
    if strategy == "keystone":
        layout.clouds.unlink(missing_ok=True)  # of a start without Keystone
        write_private(layout.endpoint, f"{endpoint}/v1.0")
        return
    write_private(layout.endpoint, f"{endpoint}/v1.0/{settings.project_id}")
    authn.write_users_file(
        layout.users,
        [{"name": USER, "password": settings.password, "project_id": settings.project_id, "roles": ROLES}],
    )
    cloud = {
        "auth_type": "http_basic",
        "auth": {
            "endpoint": f"{endpoint}/v1.0/{settings.project_id}",
            "username": USER,
            "password": settings.password,
        },
        "region_name": "RegionOne",
    }
    write_private(layout.clouds, yaml.safe_dump({"clouds": {CLOUD: cloud}}, sort_keys=False))
